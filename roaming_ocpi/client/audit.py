"""What is remembered of a call, in or out: never a token, a body, or whom a path names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from roaming_ocpi.registration.link import Link


class CallDirection(StrEnum):
    """Who asked whom."""

    IN = "in"
    OUT = "out"


class CallRecord(NamedTuple):
    """One call, as the audit keeps it.

    `template` is the path without values that may name somebody, "/{country_code}/{party_id}/..."
    or, of a partner's module, its endpoint; `target` the path as it went, of which a keyed digest
    alone is kept: a token's uid stands in paths. `http` and `status_code` are None where there was
    no answer, and `trouble` then says why in a word. `ms` is how long it took.
    """

    direction: CallDirection
    partner: str | None
    method: str
    template: str
    target: str
    version: str | None
    module: str | None
    http: int | None
    status_code: int | None
    ms: int
    request_id: str
    at: datetime
    trouble: str | None = None


Heard = Callable[[CallRecord], None]
"""Whoever keeps calls; it neither waits nor fails."""


class AskedModule(NamedTuple):
    """What an address of a partner is: a module's, and how it may be written down."""

    module: str | None
    template: str


def asked_module(link: Link | None, url: str) -> AskedModule:
    """Return which module of the partner behind *link* is at *url*.

    What goes on behind the module's endpoint is "/...", for it may name somebody; a query is left
    out, and so is all of the path where it belongs to no endpoint.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    asked = f"{parts.scheme}://{parts.netloc}{parts.path}"
    endpoints = {} if link is None else link.endpoints
    fitting = [
        (len(endpoint), str(module), endpoint)
        for (module, _), endpoint in endpoints.items()
        if asked == endpoint or asked.startswith(endpoint.rstrip("/") + "/")
    ]
    if not fitting:
        return AskedModule(None, origin + ("/..." if parts.path.strip("/") else ""))
    _, module, endpoint = max(fitting)
    path = urlsplit(endpoint).path
    more = "" if asked.rstrip("/") == endpoint.rstrip("/") else "/..."
    return AskedModule(module, f"{origin}{path.rstrip('/')}{more}")

"""Calls to an OpenID provider: two kinds, bounded in time and size; no redirect is followed.

Its address is the operator's own word: it may be in a private network.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from deploy.errors import DeployError
from deploy.setting_rules import is_guarded

_SECONDS: Final = 10.0
_ANSWER_MAX: Final = 1 << 20


class ProviderAwayError(DeployError):
    """The provider did not answer, or not so that anything follows."""

    def __init__(self, host: str, what: object) -> None:
        super().__init__(f"{host} does not answer: {what}")


def get_json(address: str) -> dict[str, Any]:
    """Return the object that is at *address*.

    Raises:
        ProviderAwayError: If there is none.
    """
    return _asked("GET", address, None, {"Accept": "application/json"})


def post_form(address: str, body: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the object by which *address* answers a form.

    Raises:
        ProviderAwayError: If it answers by none.
    """
    kind = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    return _asked("POST", address, body.encode(), {**kind, **headers})


def _asked(
    method: str, address: str, body: bytes | None, headers: Mapping[str, str]
) -> dict[str, Any]:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    if not is_guarded(address):
        raise ProviderAwayError(host, parts.scheme)
    connection: HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(connection):
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            content = answer.read(_ANSWER_MAX + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise ProviderAwayError(host, type(error).__name__) from error
    if answer.status != HTTPStatus.OK or len(content) > _ANSWER_MAX:
        raise ProviderAwayError(host, answer.status)
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ProviderAwayError(host, type(error).__name__) from error

"""The OpenAPI document of our own routes, without a database behind them."""

from __future__ import annotations

from typing import Any

import msgspec

from deploy.clock import SystemClock
from deploy.interface.serving import interface_app
from ledger.log.event_log import EventLog


def document() -> dict[str, Any]:
    """Return what the interface says of itself; nobody is asked, and nothing is opened."""
    app = interface_app("dbname=nobody", SystemClock(), _no_log)
    described: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(app.openapi_schema.to_schema())
    )
    return described


def _no_log() -> EventLog:
    message = "a document needs no log"
    raise NotImplementedError(message)

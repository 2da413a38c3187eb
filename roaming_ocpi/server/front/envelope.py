"""Every answer in its envelope. Source: OCPI 2.2.1, transport_and_format, response format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from litestar.types import Send

from roaming_ocpi.server.calls import OcpiRefusedError, Reply
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.tariff_writer import moment_text
from tariffs.phrases.printable import printable

MESSAGE_MAX: Final = 500
_JSON: Final = msgspec.json.Encoder(decimal_format="number")


class WireAnswer(NamedTuple):
    """An answer as it goes out: its HTTP status, OCPI's own, headers and body."""

    http: int
    status: Status
    headers: Mapping[str, str]
    body: bytes


def enveloped(reply: Reply, now: datetime, headers: Mapping[str, str]) -> WireAnswer:
    """Return *reply* as it goes out; a page's objects are its data.

    Numbers are written exactly. An empty answer has no `data`.
    """
    data = reply.data if reply.page is None else list(reply.page.objects)
    said = dict(headers)
    if reply.location is not None and _fits_header(reply.location):
        said["Location"] = reply.location
    body = _envelope(data, reply.status, reply.message, now)
    return WireAnswer(reply.http, reply.status, said, body)


def refused(error: OcpiRefusedError, now: datetime, headers: Mapping[str, str]) -> WireAnswer:
    """Return what is answered to a request that is refused."""
    body = _envelope(None, error.status, str(error), now)
    return WireAnswer(error.http, error.status, {**headers, **error.headers}, body)


async def send_answer(answer: WireAnswer, send: Send, *, is_head: bool) -> None:
    """Send *answer*; to HEAD all but its body."""
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.http, "headers": raw})
    body = b"" if is_head else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _envelope(data: Any, status: Status, message: str | None, now: datetime) -> bytes:  # noqa: ANN401 - JSON
    envelope: dict[str, Any] = {} if data is None else {"data": data}
    envelope["status_code"] = int(status)
    if message is not None:
        # It may quote who asked.
        envelope["status_message"] = printable(message)[:MESSAGE_MAX]
    envelope["timestamp"] = moment_text(now.replace(microsecond=0))
    return _JSON.encode(envelope)


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable()

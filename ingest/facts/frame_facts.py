"""What translating needs of any OCPP version: the call in a frame, its reply, its position."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from ingest.facts.lenient import read_json, read_object, read_text
from ledger.facts.flags import Flag
from ledger.facts.station_facts import FrameSetAside, StationFact

CALL: Final = 2
PEEK: Final = 120
"""The characters in which a call's action stands when its message id has a normal length."""
_RESULT: Final = 3
_ERROR: Final = 4
_CALL_LENGTH: Final = 4


class RpcCall(NamedTuple):
    """A request, decoded without a schema; numbers are int or Decimal."""

    action: str
    payload: dict[str, Any]
    oddities: frozenset[str]


class SetAside(NamedTuple):
    """Why a frame gives no facts; None for an answer to a call of ours, which is no oddity."""

    reason: str | None


class Mark(NamedTuple):
    """Where a frame stands and when it came: the head of every fact."""

    station_id: str
    position: int
    line: int
    received_at: datetime

    def set_aside(self, reason: str | None) -> list[StationFact]:
        """Return the fact that this frame says nothing we could use."""
        if reason is None:
            return []
        fact = FrameSetAside(
            station_id=self.station_id,
            position=self.position,
            line=self.line,
            received_at=self.received_at,
            reason=reason,
        )
        return [fact]


def call_of(text: str) -> RpcCall | SetAside:
    """Return the call in *text*; extra elements are ignored, a missing payload is empty."""
    message = read_json(text)
    if not isinstance(message, list) or not message:
        return SetAside("not_rpc")
    if message[0] in (_RESULT, _ERROR):
        return SetAside(None)
    # As the codec reads it: what was acknowledged must count.
    if message[0] not in (CALL, str(CALL)) or len(message) < _CALL_LENGTH - 1:
        return SetAside("not_rpc")
    action = read_text(message[2])
    if action is None:
        return SetAside("not_rpc")
    payload = message[3] if len(message) >= _CALL_LENGTH else {}
    is_plain = len(message) == _CALL_LENGTH and isinstance(payload, dict)
    oddities = frozenset() if is_plain else frozenset({str(Flag.MALFORMED_FRAME)})
    return RpcCall(action.strip(), read_object(payload), oddities)


def reply_payload(reply: str | None) -> dict[str, Any]:
    """Return the payload of the CALLRESULT in *reply*, empty when it is none."""
    if reply is None:
        return {}
    message = read_json(reply)
    if isinstance(message, list) and len(message) > 2 and message[0] == _RESULT:  # noqa: PLR2004
        return read_object(message[2])
    return {}

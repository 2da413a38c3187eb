"""The call in a frame, and the answer to it, decoded without a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ingest.facts.lenient import Oddities, read_json, read_object, read_text
from ledger.facts.flags import Flag

CALL: Final = 2
_RESULT: Final = 3
# CALLRESULT, CALLERROR; since 2.1 CALLRESULTERROR and SEND, in which nothing is billed.
_OTHERS: Final = (3, 4, 5, 6)
_CALL_LENGTH: Final = 4


class RpcCall(msgspec.Struct, frozen=True, gc=False):
    """A request, decoded without a schema, and the text of its reply; numbers stay exact."""

    action: str
    payload: Mapping[str, Any]
    oddities: Oddities
    reply: str | None

    def answer(self) -> Mapping[str, Any]:
        """Return the payload of the CALLRESULT in the reply, empty when it is none."""
        message = read_json(self.reply or "")
        if isinstance(message, list) and len(message) > 2 and message[0] == _RESULT:  # noqa: PLR2004
            return read_object(message[2])
        return {}


class SetAside(NamedTuple):
    """Why a frame gives no facts; None for what is no oddity, as an answer to a call of ours."""

    reason: str | None


class _SaidTwiceError(Exception):
    """An object has a member twice, with two values."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    last = dict(pairs)
    if len(last) < len(pairs) and any(last[name] != value for name, value in pairs):
        raise _SaidTwiceError
    return last


# Numbers as they are written: 1 and 1.0 are two.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def says_twice(text: str) -> bool:
    """Say whether an object in *text* has a member twice, with two values: readers take the last.

    Never raises: what is no JSON tells nothing.
    """
    try:
        _DECODER.decode(text.strip("\ufeff\0 \t\r\n"))
    except _SaidTwiceError:
        return True
    except (ValueError, RecursionError):
        pass
    return False


def call_of(text: str, reply: str | None) -> RpcCall | SetAside:
    """Return the call in *text*; extra elements are ignored, a missing payload is empty."""
    message = read_json(text)
    if not isinstance(message, list) or not message:
        return SetAside("not_rpc")
    if message[0] in _OTHERS:
        return SetAside(None)
    # As the codec reads it: what was acknowledged must count.
    if message[0] not in (CALL, str(CALL)) or len(message) < _CALL_LENGTH - 1:
        return SetAside("not_rpc")
    action = read_text(message[2])
    if action is None:
        return SetAside("not_rpc")
    payload = message[3] if len(message) >= _CALL_LENGTH else {}
    is_plain = len(message) == _CALL_LENGTH and isinstance(payload, dict)
    oddities: Oddities = set() if is_plain else {Flag.MALFORMED_FRAME}
    return RpcCall(action.strip(), read_object(payload), oddities, reply)

"""Calls of several items, sent in as many messages as a station takes (OCPP 2.x).

A station says how many items of GetVariables or SetVariables it takes in one message, and how many
bytes; more of them it refuses. Who asks for a call need not know: it is one call, sent in parts one
after the other, whose answers come back as one. The log has each part as it was sent and answered.

    12 items, the station takes 5     three messages, one answer of 12 results
    ... and 2,000 bytes               as many as keep each message within both
    an item that is longer alone      a message of its own: it may be taken all the same
    nobody knows what it takes        it is asked once, where there are more than ITEMS_SURE
    it does not say                   the call is sent as it is
    a part fails                      that is what came of the call; the log has the others

Source: OCPP 2.0.1 part 2, B05.FR.11 and B06.FR.16; appendix, DeviceDataCtrlr.ItemsPerMessage and
BytesPerMessage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid5

import msgspec
from msgspec.structs import replace

from ingest.commands.command import (
    CallEnd,
    ClaimedCommand,
    CommandState,
    MessageLimits,
    OutgoingCall,
    call_text,
    payload_of,
)
from ingest.commands.store import Commands
from ingest.rpc import codec
from ingest.rpc.codec import CallResult, FrameError
from ledger.log.envelope import Frame, Sealed

THINKS_SECONDS: Final = 120.0
"""How long a station may think about one message, however late it may be sent: others wait."""
ITEMS_SURE: Final = 2
"""So many are sent without asking what a station takes."""
ASKING_SHARE: Final = 3
"""Asking it may take a third of the time that there is."""
_GET: Final = "GetVariables"
_ITEMS: Final = "ItemsPerMessage"
_BYTES: Final = "BytesPerMessage"


class _Lists(NamedTuple):
    """The members that hold what is asked, and what is answered."""

    asked: str
    answered: str


_LISTS: Final = {
    _GET: _Lists("getVariableData", "getVariableResult"),
    "SetVariables": _Lists("setVariableData", "setVariableResult"),
}


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Told(msgspec.Struct, rename="camel"):
    variable: _Named = _Named()
    attribute_status: str = ""
    attribute_value: str = ""


class _Limit(msgspec.Struct, rename="camel"):
    get_variable_result: list[_Told] = []


class Exchanging(Protocol):
    """A station's connection, as far as a call in parts needs it."""

    @property
    def station_id(self) -> str:
        """The station as declared."""

    async def exchange(self, call: OutgoingCall, *, seconds: float) -> CallEnd:
        """Send a call and wait for its answer; both stand in the log."""


async def exchange_in_parts(
    claimed: ClaimedCommand, connection: Exchanging, commands: Commands
) -> CallEnd:
    """Send a call, in parts where its station takes no more; return what came of it as one."""
    deadline = asyncio.get_running_loop().time() + claimed.seconds
    whole = OutgoingCall(str(claimed.id), claimed.frame.frame)
    payload = payload_of(claimed.frame.frame) if claimed.action in _LISTS else ""
    items = _items(claimed.action, payload)
    limits = claimed.limits
    if limits is None and len(items) > ITEMS_SURE:
        # A station that does not answer that may yet answer the call.
        seconds = _left(deadline) / ASKING_SHARE
        limits = await _limits_of(claimed, connection, seconds=seconds)
        if limits is not None:
            await commands.remember_limits(connection.station_id, claimed.action, limits)
    parts = _parts(claimed, payload, items, limits or MessageLimits())
    if len(parts) < 2:  # noqa: PLR2004 - it is whole
        return await connection.exchange(whole, seconds=_left(deadline))
    ends: list[CallEnd] = []
    for number, part in enumerate(parts):
        message_id = str(uuid5(claimed.id, str(number)) if number else claimed.id)
        text = _with_items(claimed.action, payload, part)
        call = OutgoingCall(message_id, call_text(message_id, claimed.action, text))
        ends.append(await connection.exchange(call, seconds=_left(deadline)))
        if ends[-1].state is not CommandState.ANSWERED:
            break
    return _joined(claimed, ends)


def _left(deadline: float) -> float:
    """Return for how long the next message may be answered."""
    return min(max(0.0, deadline - asyncio.get_running_loop().time()), THINKS_SECONDS)


def _items(action: str, payload: str) -> list[msgspec.Raw]:
    lists = _LISTS.get(action)
    members = msgspec.json.decode(payload, type=dict[str, msgspec.Raw]) if lists else {}
    if lists is None or lists.asked not in members:
        return []
    return msgspec.json.decode(members[lists.asked], type=list[msgspec.Raw])


def _with_items(action: str, payload: str, items: Sequence[msgspec.Raw]) -> str:
    """Return *payload* with these items alone, its other members as they are."""
    members: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    members[_LISTS[action].asked] = items
    return msgspec.json.encode(members).decode()


def _parts(
    claimed: ClaimedCommand, payload: str, items: Sequence[msgspec.Raw], limits: MessageLimits
) -> list[list[msgspec.Raw]]:
    """Return *items* in as few messages as a station takes; an item is never cut."""
    if not items:
        return []
    empty = call_text(str(claimed.id), claimed.action, _with_items(claimed.action, payload, []))
    beside = len(empty.encode())
    parts: list[list[msgspec.Raw]] = []
    size = 0
    for item in items:
        more = len(bytes(item)) + len(",")
        is_full = not parts or (limits.items is not None and len(parts[-1]) >= limits.items)
        if is_full or (limits.bytes is not None and size + more > limits.bytes):
            parts.append([])
            size = beside - len(",")
        parts[-1].append(item)
        size += more
    return parts


async def _limits_of(
    claimed: ClaimedCommand, connection: Exchanging, *, seconds: float
) -> MessageLimits | None:
    """Ask a station how much of a call it takes in a message; None where it says neither."""
    data = [
        {
            "component": {"name": "DeviceDataCtrlr"},
            "variable": {"name": name, "instance": claimed.action},
        }
        for name in (_ITEMS, _BYTES)
    ]
    message_id = str(uuid5(claimed.id, "items"))
    payload = msgspec.json.encode({"getVariableData": data}).decode()
    call = OutgoingCall(message_id, call_text(message_id, _GET, payload))
    end = await connection.exchange(call, seconds=seconds)
    try:
        told = codec.decode(_payload(end.frame), _Limit).get_variable_result
    except codec.PayloadError:
        return None
    said = {each.variable.name: _whole(each.attribute_value.strip()) for each in told}
    limits = MessageLimits(said.get(_ITEMS), said.get(_BYTES))
    return None if limits == MessageLimits() else limits


def _whole(text: str) -> int | None:
    is_told = text.isascii() and text.isdigit() and len(text) <= len(str(2**31))
    return min(int(text), 2**31 - 1) or None if is_told else None


def _joined(claimed: ClaimedCommand, ends: Sequence[CallEnd]) -> CallEnd:
    """Return parts that were sent as the one call that was asked for."""
    last = ends[-1]
    kept = claimed.kept
    frame = replace(last.frame, frame=kept.frame, sealed=kept.sealed, hmac=kept.hmac)
    if last.state is not CommandState.ANSWERED:
        return CallEnd(last.state, frame)
    name = _LISTS[claimed.action].answered
    text = f"[3,{codec.encode(str(claimed.id)).decode()},{{{codec.encode(name).decode()}:["
    sealed: list[Sealed] = []
    pieces: list[str] = []
    at = len(text)
    for end in ends:
        results, start = _results(end.frame, name)
        if not results:
            continue
        sealed += [
            replace(each, at=each.at - start + at)
            for each in end.frame.reply_sealed
            if start <= each.at < start + len(results)
        ]
        pieces.append(results)
        at += len(results) + 1
    reply = f"{text}{','.join(pieces)}]}}]"
    return CallEnd(last.state, replace(frame, reply=reply, reply_sealed=tuple(sealed)))


def _results(frame: Frame, name: str) -> tuple[str, int]:
    """Return the results in an answer, without their brackets, and where they stand in it.

    Behind its end, where they had to be mended to be read.
    """
    try:
        raw = codec.decode(_payload(frame), dict[str, msgspec.Raw]).get(name, b"[]")
        codec.decode(raw, list[msgspec.Raw])
    except codec.PayloadError:
        return "", 0
    inner, reply = bytes(raw).decode()[1:-1], frame.reply or ""
    return inner.strip() and inner, reply.index(inner) if inner in reply else len(reply)


def _payload(frame: Frame) -> msgspec.Raw:
    try:
        message = codec.parse((frame.reply or "").encode())
    except FrameError:
        return msgspec.Raw(b"{}")
    return message.payload if isinstance(message, CallResult) else msgspec.Raw(b"{}")

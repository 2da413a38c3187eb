"""What came of a call, as whoever asked for it reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from ingest.commands.command import UNREADABLE, CommandState, StationCommand
from ingest.commands.schemas import problem_of_answer
from ingest.rpc import codec
from ingest.rpc.codec import CallError, CallResult, FrameError
from ledger.persons.sealing import opened


class CallFault(msgspec.Struct, frozen=True, kw_only=True):
    """A station's CALLERROR.

    Two of `code` are ours: NotSent, the call never left; Unreadable, its answer was no message.
    """

    code: str
    description: str


class CommandOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call is; `response` is the payload of its answer, which may well be Rejected.

    `problem` is what in it the official schema does not allow; it is an answer all the same.
    """

    id: UUID
    station: str
    action: str
    state: CommandState
    payload: msgspec.Raw
    response: msgspec.Raw | None
    error: CallFault | None
    problem: str | None
    asked_by: str
    asked_at: datetime
    deadline: datetime
    sent_at: datetime | None
    ended_at: datetime | None


def outcome_of(command: StationCommand, keys: Mapping[str, bytes]) -> CommandOutcome:
    """Return what came of *command*; who stands in it is shown as far as *keys* open it."""
    frame = opened(command.frame, keys)
    call = codec.parse(frame.frame.encode())
    assert isinstance(call, codec.Call)
    response, error = _answer(frame.reply)
    problem = None
    if response is not None:
        answered = bytes(response).decode()
        problem = problem_of_answer(command.frame.protocol, command.action, answered)
    return CommandOutcome(
        id=command.id,
        station=command.station_id,
        action=command.action,
        state=command.state,
        payload=call.payload,
        response=response,
        error=error,
        problem=problem,
        asked_by=command.asked_by,
        asked_at=command.asked_at,
        deadline=command.deadline,
        sent_at=command.sent_at,
        ended_at=command.ended_at,
    )


def _answer(reply: str | None) -> tuple[msgspec.Raw | None, CallFault | None]:
    if reply is None:
        return None, None
    try:
        message = codec.parse(reply.encode())
    except FrameError as error:
        return None, CallFault(code=UNREADABLE, description=str(error))
    match message:
        case CallResult():
            return message.payload, None
        case CallError():
            return None, CallFault(code=message.code, description=message.description)
        case _:
            return None, None

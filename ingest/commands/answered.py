"""A call that ended, read for what follows from it beyond the call itself."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from ingest.commands.command import UNREADABLE, CommandState
from ingest.rpc import codec
from ingest.rpc.codec import CallError, CallResult, FrameError
from ingest.rpc.fields import PayloadFields
from ledger.log.envelope import Frame

_OVER = (CommandState.ANSWERED, CommandState.ERROR)


class AnsweredCall(NamedTuple):
    """A call that ended, and the payload of its CALLRESULT: without members where none came."""

    id: UUID
    station_id: str
    action: str
    state: CommandState
    payload: PayloadFields
    answer: PayloadFields

    @property
    def is_answered(self) -> bool:
        """Whether it is known what the station made of it."""
        return self.state in _OVER

    @property
    def is_accepted(self) -> bool:
        """Whether the station did what it was asked for."""
        return self.answer.text("status") == "Accepted"


def answered_call(
    id_: UUID, station_id: str, action: str, state: CommandState, frame: Frame
) -> AnsweredCall:
    """Return a call whose line in the log is *frame*, with the answer if there is one."""
    call = codec.parse(frame.frame.encode())
    assert isinstance(call, codec.Call)
    answer = PayloadFields(b"{}")
    try:
        message = codec.parse((frame.reply or "").encode())
    except FrameError:
        pass
    else:
        if isinstance(message, CallResult):
            answer = PayloadFields(message.payload)
        elif isinstance(message, CallError) and message.code == UNREADABLE:
            state = CommandState.UNKNOWN
    return AnsweredCall(id_, station_id, action, state, PayloadFields(call.payload), answer)

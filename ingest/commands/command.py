"""One call of ours to a station, and how far it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from ingest.errors import IngestError
from ingest.rpc import codec
from ingest.rpc.codec import FrameError
from ingest.rpc.waiting_calls import Silence
from ledger.log.envelope import Frame


class CommandState(StrEnum):
    """How far a call is.

    `sent`: it is on its way, or was when its process died; `unknown`: the station had it, and
    nobody will learn what it made of it. Only a `queued` one may still be carried out.
    """

    QUEUED = "queued"
    SENT = "sent"
    ANSWERED = "answered"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"


REPEATABLE: Final = frozenset(
    {
        "ClearCache", "ExtendedTriggerMessage", "GetBaseReport", "GetChargingProfiles",
        "GetCompositeSchedule", "GetConfiguration", "GetDERControl", "GetDisplayMessages",
        "GetInstalledCertificateIds", "GetLocalListVersion", "GetMonitoringReport",
        "GetPeriodicEventStream", "GetReport", "GetTariffs", "GetTransactionStatus", "GetVariables",
        "TriggerMessage",
    }
)  # fmt: skip
"""Actions that may be sent a second time where nobody knows what came of the first: they ask."""


class StationCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A call as its row has it; `frame` is its line in the log, once answered with the answer."""

    id: UUID
    station_id: str
    action: str
    protocol: str | None
    frame: Frame
    asked_by: str
    asked_at: datetime
    deadline: datetime
    state: CommandState
    epoch: int | None
    sent_at: datetime | None
    ended_at: datetime | None


class MessageLimits(NamedTuple):
    """How many items of a call, and how many bytes, a station takes in one message; None: any."""

    items: int | None = None
    bytes: int | None = None


class ClaimedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A call that this process is to send now, and for how many seconds its station may think.

    `kept` is the frame as its row has it, `frame` the same with everybody named in it who was not
    erased. `limits`: how much its station takes in one message, None: not known.
    """

    id: UUID
    action: str
    protocol: str | None
    kept: Frame
    frame: Frame
    seconds: float
    limits: MessageLimits | None = None


class OutgoingCall(NamedTuple):
    """The text of a CALL, and the id in it."""

    message_id: str
    text: str


class CallEnd(NamedTuple):
    """What came of a call, and its line in the log, with the answer if there is one."""

    state: CommandState
    frame: Frame


NOT_SENT: Final = "NotSent"
"""The code of the error of a call that was never sent: what it was checked for did not connect."""

UNREADABLE: Final = "Unreadable"
"""The code of the error of a call whose answer nobody can read."""


def silent_end(call: OutgoingCall, sent: Frame, found: Silence | FrameError) -> CallEnd:
    """Return what came of a call that got no answer, or one that nobody can read."""
    if isinstance(found, FrameError):
        error = codec.encode_error(codec.encode(call.message_id), UNREADABLE, str(found))
        return CallEnd(CommandState.ERROR, replace(sent, reply=error.decode()))
    is_late = found is Silence.TOO_LATE
    return CallEnd(CommandState.TIMED_OUT if is_late else CommandState.UNKNOWN, sent)


def call_text(message_id: str, action: str, payload: str) -> str:
    """Return the CALL with *payload*, which is JSON already."""
    return f"[2,{codec.encode(message_id).decode()},{codec.encode(action).decode()},{payload}]"


def payload_of(text: str) -> str:
    """Return the payload of a CALL that `call_text` made."""
    message = codec.parse(text.encode())
    assert isinstance(message, codec.Call)
    return bytes(message.payload).decode()


class NotConnectedError(IngestError):
    """A call was to be sent at once, and its station is not connected."""

    def __init__(self, station_id: str) -> None:
        self.station_id = station_id
        super().__init__(f"{station_id} is not connected")

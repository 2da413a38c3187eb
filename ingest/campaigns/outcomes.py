"""What a station says of an update that it was asked for, and what follows from it. Pure.

What the station says counts, not what we sent: `Installed`, or a boot with the new version.

    answered Accepted (1.6: anything), nothing since       it goes on
    FirmwareStatusNotification Installed                   done
    BootNotification with the version, after it was asked  done, also where it reports nothing
    InstallationFailed, DownloadFailed, InvalidSignature   failed
    Rejected, a CALLERROR, no answer to the call           failed
    nothing of that for too long                           failed

Source: OCPP 1.6 edition 2, 7.25; security whitepaper edition 2, 5; OCPP 2.0.1 part 2, L01 to L03.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from ingest.commands.command import CommandState
from ingest.commands.outcome import CommandOutcome
from ingest.rpc.fields import PayloadFields

INSTALLED: Final = "Installed"
FAILURES: Final = frozenset(
    {"DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature"}
)
"""After which a station goes on with nothing by itself."""
_ACCEPTED: Final = ("Accepted", "AcceptedCanceled")
BOOTED: Final = "booted with it"
UNHEARD: Final = "not heard of in time"
UNANSWERED: Final = "did not answer the call"


class AskedStation(NamedTuple):
    """A station that was asked, and what it said since; `told`: its statuses, in their order."""

    version: str
    asked_at: datetime
    heard_within: timedelta
    call: CommandOutcome | None
    told: Sequence[str]
    firmware: str | None
    booted_at: datetime | None


class StationOutcome(NamedTuple):
    """How an update ended, in the station's word or ours."""

    is_done: bool
    status: str


def outcome(asked: AskedStation, at: datetime) -> StationOutcome | None:
    """Return how an update ended by *at*; None: it has not."""
    if INSTALLED in asked.told:
        return StationOutcome(is_done=True, status=INSTALLED)
    has_booted = asked.booted_at is not None and asked.booted_at > asked.asked_at
    if has_booted and asked.firmware == asked.version:
        return StationOutcome(is_done=True, status=BOOTED)
    why = next((each for each in asked.told[-1:] if each in FAILURES), None)
    if why is None and asked.call is not None:  # else nobody has asked for it yet
        is_late = at - asked.asked_at >= asked.heard_within
        why = refusal(asked.call) or (UNHEARD if is_late else None)
    return None if why is None else StationOutcome(is_done=False, status=why)


def refusal(call: CommandOutcome) -> str | None:
    """Return what a station said against a call; None: nothing, or nobody knows yet."""
    match call.state:
        case CommandState.TIMED_OUT:
            return UNANSWERED
        case CommandState.ERROR:
            return call.error.code if call.error else UNANSWERED
        case CommandState.ANSWERED:
            said = PayloadFields(call.response or msgspec.Raw(b"{}")).text("status")
            return None if said is None or said in _ACCEPTED else said
        case CommandState.QUEUED | CommandState.SENT | CommandState.UNKNOWN:
            return None  # of what it had it may well tell later

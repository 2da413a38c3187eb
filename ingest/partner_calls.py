"""Calls to stations that partners ask for: the port `ledger.partners.station_calls`, kept here.

They are calls like everybody's: a row, and lines of the log with who is named in them cut out. The
id of a call is the partner's command's, so whoever asks again hears what came of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from ingest.commands import typed
from ingest.commands.asking import Patience, StationCommands, UnknownStationError
from ingest.commands.command import CommandState, NotConnectedError
from ingest.commands.outcome import CommandOutcome
from ingest.commands.schemas import BadPayloadError, RefusedPayloadError, UnknownCommandError
from ingest.commands.typed import CallWordError, TypedCall
from ingest.facts.lenient import exact_number
from ingest.partner_profiles import forecast_call, forecast_in, profile_call
from ledger.partners.station_calls import (
    CalledStation,
    StationResult,
    WantedCall,
    WantedEnd,
    WantedForecast,
    WantedFreedom,
    WantedLimit,
    WantedRelease,
    WantedReservation,
    WantedStart,
    WantedUnlock,
)

_LOOK_SECONDS: Final = 0.5
_UNDER_WAY: Final = (CommandState.QUEUED, CommandState.SENT)
_RESULTS: Final[Mapping[str, StationResult]] = {
    "Accepted": StationResult.ACCEPTED,
    "Unlocked": StationResult.ACCEPTED,
    "Occupied": StationResult.EVSE_OCCUPIED,
    "Faulted": StationResult.EVSE_INOPERATIVE,
    "Unavailable": StationResult.EVSE_INOPERATIVE,
    "UnlockFailed": StationResult.FAILED,
    "NotSupported": StationResult.NOT_SUPPORTED,
}
_NOT_KNOWN: Final = frozenset({"NotImplemented", "NotSupported"})
_ANSWERS: Final = msgspec.json.Decoder(dict[str, Any], float_hook=exact_number)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class PartnerCalls:
    """Calls stations with *commands*, whose `follow` runs."""

    def __init__(self, commands: StationCommands) -> None:
        self._commands = commands

    async def is_connected(self, station_id: str) -> bool:
        """Whether a station can be called now."""
        try:
            await self._commands.protocol_of(station_id)
        except (NotConnectedError, UnknownStationError):
            return False
        return True

    async def call(
        self, call_id: UUID, station_id: str, wanted: WantedCall, *, by: str, seconds: float
    ) -> CalledStation:
        """Call a station and return what came of it, after *seconds* at the latest."""
        known = await self._commands.read(call_id)
        if known is not None:
            return _what_came(wanted, await self._ended(known, seconds))
        try:
            outcome = await self._asked(call_id, station_id, wanted, by=by, seconds=seconds)
        except (CallWordError, UnknownCommandError, RefusedPayloadError, BadPayloadError):
            return CalledStation(StationResult.NOT_SUPPORTED)
        except (NotConnectedError, UnknownStationError):
            return CalledStation(StationResult.FAILED)
        return _what_came(wanted, outcome)

    async def _asked(
        self, call_id: UUID, station_id: str, wanted: WantedCall, *, by: str, seconds: float
    ) -> CommandOutcome:
        call = typed_call(await self._commands.protocol_of(station_id), wanted)
        return await self._commands.ask(
            station_id,
            call.action,
            _ENCODER.encode(call.payload).decode(),
            by=by,
            patience=Patience(wait=seconds, answer=seconds),
            command_id=call_id,
        )

    async def _ended(self, outcome: CommandOutcome, seconds: float) -> CommandOutcome:
        """Return a call, asked for before a kill, once it ended, or as it is after *seconds*."""
        limit = asyncio.get_running_loop().time() + seconds
        while outcome.state in _UNDER_WAY and asyncio.get_running_loop().time() < limit:
            await asyncio.sleep(_LOOK_SECONDS)
            outcome = await self._commands.read(outcome.id) or outcome
        return outcome


def typed_call(protocol: str, wanted: WantedCall) -> TypedCall:
    """Return a call in the words of a station's version.

    Raises:
        CallWordError: If that version has none for it.
    """
    match wanted:
        case WantedStart():
            return typed.start(protocol, token=wanted.uid, evse=wanted.evse)
        case WantedEnd():
            return typed.stop(protocol, transaction=wanted.transaction_ref)
        case WantedUnlock():
            return typed.unlock(protocol, evse=wanted.evse, connector=wanted.connector)
        case WantedReservation() | WantedRelease():
            return _reservation_call(protocol, wanted)
        case WantedLimit():
            return profile_call(protocol, wanted)
        case WantedFreedom() | WantedForecast():
            return _profile_question(protocol, wanted)


def _reservation_call(protocol: str, wanted: WantedReservation | WantedRelease) -> TypedCall:
    if isinstance(wanted, WantedRelease):
        return typed.cancel_reservation(reservation=wanted.number)
    call = typed.reserve(protocol, token=wanted.uid, until=wanted.until, evse=wanted.evse)
    name = "reservationId" if protocol == "ocpp1.6" else "id"
    return call._replace(payload={**call.payload, name: wanted.number})


def _profile_question(protocol: str, wanted: WantedFreedom | WantedForecast) -> TypedCall:
    if isinstance(wanted, WantedFreedom):
        return typed.clear_charging_profile(protocol, profile=wanted.number)
    return forecast_call(protocol, wanted)


def _what_came(wanted: WantedCall, outcome: CommandOutcome) -> CalledStation:
    if outcome.state is CommandState.ERROR:
        is_unknown = outcome.error is not None and outcome.error.code in _NOT_KNOWN
        return CalledStation(StationResult.NOT_SUPPORTED if is_unknown else StationResult.FAILED)
    if outcome.state is not CommandState.ANSWERED or outcome.response is None:
        return CalledStation(StationResult.TIMEOUT)
    answer = _answer_in(bytes(outcome.response))
    result = _RESULTS.get(str(answer.get("status")), StationResult.REJECTED)
    if isinstance(wanted, WantedRelease) and result is StationResult.REJECTED:
        result = StationResult.UNKNOWN_RESERVATION
    return CalledStation(result, forecast_in(answer) if result is StationResult.ACCEPTED else None)


def _answer_in(response: bytes) -> Mapping[str, Any]:
    """Return a station's answer with exact numbers; one that is no object has no members."""
    try:
        return _ANSWERS.decode(response)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}

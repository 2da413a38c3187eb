"""Calls to stations that partners ask for: the port between who hears them and who has stations.

`ingest` has the stations, `roaming_ocpi.commands` the partners; `deploy` puts them together. What
is asked for says no protocol's words; whoever implements it knows those of each station.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID


class StationResult(StrEnum):
    """What came of a call. Source: OCPI 2.2.1, mod_commands, CommandResultType; two of its own."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    EVSE_OCCUPIED = "EVSE_OCCUPIED"
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"
    FAILED = "FAILED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    TIMEOUT = "TIMEOUT"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"


class WantedStart(NamedTuple):
    """Start charging for the token `uid`; None: at an EVSE of the station's choice."""

    uid: str
    evse: int | None

    def __repr__(self) -> str:
        return f"WantedStart(evse={self.evse})"


class WantedEnd(NamedTuple):
    """Stop a transaction."""

    transaction_ref: str


class WantedUnlock(NamedTuple):
    """Let go of a plug."""

    evse: int
    connector: int


class WantedReservation(NamedTuple):
    """Keep an EVSE free for the token `uid`; the station knows it by `number`."""

    uid: str
    number: int
    until: datetime
    evse: int | None

    def __repr__(self) -> str:
        return f"WantedReservation({self.number}, evse={self.evse})"


class WantedRelease(NamedTuple):
    """Give a reservation up."""

    number: int


class WantedLimit(NamedTuple):
    """Set a charging profile for a transaction; `profile` as OCPI writes ChargingProfile."""

    transaction_ref: str
    evse: int
    number: int
    profile: Mapping[str, Any]


class WantedFreedom(NamedTuple):
    """Clear the charging profile of that number."""

    number: int


class WantedForecast(NamedTuple):
    """Say which charging profile is in force at an EVSE, for so many seconds."""

    evse: int
    seconds: int


WantedCall = (
    WantedStart
    | WantedEnd
    | WantedUnlock
    | WantedReservation
    | WantedRelease
    | WantedLimit
    | WantedFreedom
    | WantedForecast
)


class CalledStation(NamedTuple):
    """What came of a call; `profile` is that of a WantedForecast, as OCPI writes it."""

    result: StationResult
    profile: Mapping[str, Any] | None = None


class StationCalls(Protocol):
    """Calls stations. It never raises for what a station says, or does not."""

    async def is_connected(self, station_id: str) -> bool:
        """Whether a station can be called now."""

    async def call(
        self, call_id: UUID, station_id: str, wanted: WantedCall, *, by: str, seconds: float
    ) -> CalledStation:
        """Call a station and return what came of it, after *seconds* at the latest.

        One call has one id: who asks for it again, after a kill, hears what came of the first.
        """

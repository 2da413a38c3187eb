"""A command that was accepted, as its row keeps it: what the station is called for, and who hears.

Who a token is stands in it, and an address that the partner made, so it is sealed: for the token's
bearer where it names one, else for the partner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from ledger.partners.station_calls import (
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
from roaming_ocpi.commands.requests import CommandKind
from tariffs.ocpi.documents import decode_json

_PROFILE_NUMBERS: Final = 2**31 - 1


class CommandOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a station is called for; what its kind does not have is left out.

    `number` is the reservation's, or the charging profile's; `profile` is that one as JSON.
    """

    response_url: str
    uid: str = ""
    evse: int | None = None
    connector: int = 1
    transaction_ref: str = ""
    number: int = 0
    until: datetime | None = None
    profile: str = ""
    seconds: int = 0

    def __repr__(self) -> str:
        return "CommandOrder(...)"


class NewCommand(NamedTuple):
    """A command to be kept. `subject` is whose token it is for, if it is for one."""

    id: UUID
    party: str
    version: str
    kind: CommandKind
    station_id: str
    evse: int | None
    order: CommandOrder
    subject: str | None = None
    reference: str | None = None
    reservation_id: str | None = None

    def __repr__(self) -> str:
        return f"NewCommand({self.kind}, {self.station_id})"


def wanted_of(kind: CommandKind, order: CommandOrder) -> WantedCall:
    """Return the call to the station that an order is."""
    return _WANTED[kind](order)


def _reservation(order: CommandOrder) -> WantedReservation:
    assert order.until is not None
    return WantedReservation(order.uid, order.number, order.until, order.evse)


_WANTED: Final[Mapping[CommandKind, Callable[[CommandOrder], WantedCall]]] = {
    CommandKind.START_SESSION: lambda order: WantedStart(order.uid, order.evse),
    CommandKind.STOP_SESSION: lambda order: WantedEnd(order.transaction_ref),
    CommandKind.UNLOCK_CONNECTOR: lambda order: WantedUnlock(order.evse or 0, order.connector),
    CommandKind.RESERVE_NOW: _reservation,
    CommandKind.CANCEL_RESERVATION: lambda order: WantedRelease(order.number),
    CommandKind.SET_PROFILE: lambda order: WantedLimit(
        order.transaction_ref, order.evse or 0, order.number, decode_json(order.profile.encode())
    ),
    CommandKind.CLEAR_PROFILE: lambda order: WantedFreedom(order.number),
    CommandKind.GET_PROFILE: lambda order: WantedForecast(order.evse or 0, order.seconds),
}


def profile_number(session_id: str) -> int:
    """Return the number that a station knows a session's charging profile by."""
    digest = sha256(f"profile of {session_id}".encode()).digest()
    return 1 + int.from_bytes(digest[:8]) % _PROFILE_NUMBERS

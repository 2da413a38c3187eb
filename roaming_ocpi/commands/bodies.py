"""The commands that we give for our drivers, as each version writes them.

Source: OCPI 2.1.1, mod_commands, 13.3; OCPI 2.2.1 and 2.3.0, mod_commands, 13.3.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

from roaming_ocpi.commands.requests import CommandKind
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.moments import wire_moment
from tariffs.ocpi.versions import OcpiVersion

NUMBER_MAX: Final = 2**31 - 1
Body = Mapping[str, Any]
MakeBody = Callable[[OcpiVersion], Body]
"""A command's object without `response_url`, in a version."""


class UnsayableCommandError(RoamingError):
    """The version that is spoken with a partner has no words for a command."""

    def __init__(self, what: str) -> None:
        super().__init__(f"OCPI 2.1.1, which is spoken with the partner, knows no {what}")


class PartnerPlace(NamedTuple):
    """A place at a partner, by its ids as its locations have them."""

    location_id: str
    evse_uid: str | None = None
    connector_id: str | None = None

    def said(self) -> dict[str, str]:
        """Return the fields that are known."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def start_body(place: PartnerPlace, token: Body, version: OcpiVersion) -> Body:
    """Return a START_SESSION.

    Raises:
        UnsayableCommandError: If it names a connector in a version that starts EVSEs alone.
    """
    if version is OcpiVersion.V2_1_1 and place.connector_id is not None:
        what = "connector of a START_SESSION: name the EVSE alone"
        raise UnsayableCommandError(what)
    return {**place.said(), "token": token}


def reserve_body(
    place: PartnerPlace, token: Body, reservation: str, until: datetime, version: OcpiVersion
) -> Body:
    """Return a RESERVE_NOW.

    Raises:
        UnsayableCommandError: If the reservation's id is none of the version's.
    """
    return {
        **place.said(),
        "token": token,
        "reservation_id": _numbered(reservation) if version is OcpiVersion.V2_1_1 else reservation,
        "expiry_date": wire_moment(until),
    }


def cancel_body(reservation: str, version: OcpiVersion) -> Body:
    """Return a CANCEL_RESERVATION.

    Raises:
        UnsayableCommandError: If the version has none: a reservation then ends by its time.
    """
    if version is OcpiVersion.V2_1_1:
        raise UnsayableCommandError(CommandKind.CANCEL_RESERVATION)
    return {"reservation_id": reservation}


def new_reservation(version: OcpiVersion) -> str:
    """Return an id that no other reservation has: a number in OCPI 2.1.1."""
    return str(secrets.randbelow(NUMBER_MAX)) if version is OcpiVersion.V2_1_1 else str(uuid4())


def _numbered(reservation: str) -> int:
    if not (reservation.isascii() and reservation.isdigit()) or int(reservation) > NUMBER_MAX:
        what = f"reservation that is no number up to {NUMBER_MAX}"
        raise UnsayableCommandError(what)
    return int(reservation)

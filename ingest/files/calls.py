"""The calls that tell a station an address of its own: where its firmware is, where its logs go."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from ingest.commands import servicing
from ingest.commands.typed import TypedCall
from ingest.files.addresses import AddressFor, make_address
from ingest.files.firmware import Firmware, signed_of


class Called(NamedTuple):
    """A station as it is declared and as it is connected, and the id of the call to it."""

    station_id: str
    protocol: str
    command_id: UUID


def logs_call(
    connection: Connection[Any],
    base: str,
    called: Called,
    *,
    is_security: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
) -> TypedCall:
    """Return the call that has a station send its logs to a new address below *base*.

    Raises:
        NoFilesServedError, LongAddressError: If there is no such address.
    """
    address = make_address(connection, base, AddressFor(called.station_id, called.command_id))
    return servicing.logs(
        called.protocol,
        location=address.url,
        is_security=is_security,
        since=since,
        until=until,
        number=address.number,
    )


def firmware_call(
    connection: Connection[Any],
    base: str,
    called: Called,
    firmware: Firmware,
    *,
    at: datetime,
    is_plain: bool = False,
) -> TypedCall:
    """Return the call that has a station fetch *firmware* at a new address, not before *at*.

    A signed firmware is told with its signature, unless *is_plain*: 1.6 without its security
    extension knows none.

    Raises:
        NoFilesServedError, LongAddressError: If there is no such address.
    """
    given = AddressFor(called.station_id, called.command_id, firmware, at)
    address = make_address(connection, base, given)
    signed = None if is_plain else signed_of(connection, firmware)
    return servicing.firmware(
        called.protocol, location=address.url, at=at, signed=signed, number=address.number
    )

"""What is kept of a station beside its declaration, by whichever process serves it.

Nothing of it is remembered in a process: a new password or another boot state holds at once
everywhere, for each connection and each boot asks the table. Those that come at the same moment
are asked about with one statement.

    boot          Accepted, Pending or Rejected: what its next BootNotification is answered
    told          what its last one was answered: until another is, that is how it is registered
    passwords     given since the declaration: `ingest.commands.passwords`
    reservations  which of them it used, and which ended: `ingest.commands.reservations`
    certificate   what it wants signed: `ingest.answers.certificates`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, LiteralString, NamedTuple, Protocol

import psycopg

from ingest.commands.reservations import EndedReservation, end_reservations
from ingest.directory import StationAccess
from ingest.gathering import Connect, Gatherer

BOOT_PATIENCE_SECONDS: Final = 1.0
UNPROVEN_MAX: Final = 3
"""New passwords that are tried beside the last one that was right: each guess costs them all."""
_PASSWORDS: LiteralString = """
SELECT station_id, hash, declared_hash, state FROM station_password
WHERE station_id = ANY(%s) ORDER BY station_id, number DESC
"""
_SETTINGS: LiteralString = """
SELECT station_id, told FROM station_setting WHERE station_id = ANY(%s) AND told <> 'Accepted'
"""
# Who is answered the same as before costs a look.
_BOOT: LiteralString = """
WITH told AS (
    UPDATE station_setting SET told = boot WHERE station_id = ANY(%s) AND told <> boot
)
SELECT station_id, boot, boot_interval_s FROM station_setting WHERE station_id = ANY(%s)
"""
_REQUEST: LiteralString = """
INSERT INTO station_setting (station_id, certificate_request, certificate_requested_at)
VALUES (%s, %s, %s)
ON CONFLICT (station_id) DO UPDATE SET certificate_request = excluded.certificate_request,
    certificate_requested_at = excluded.certificate_requested_at
"""
_PROVE: LiteralString = """
WITH right_one AS (
    UPDATE station_password SET state = 'proven'
    FROM unnest(%s::text[], %s::text[]) AS seen (station_id, hash)
    WHERE station_password.station_id = seen.station_id AND station_password.hash = seen.hash
    RETURNING station_password.station_id, number
)
DELETE FROM station_password AS older USING right_one
WHERE older.station_id = right_one.station_id AND older.number < right_one.number
"""


class Registration(StrEnum):
    """How a station is registered, in the words of every OCPP version."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class BootAnswer(NamedTuple):
    """What a boot is answered; `interval` in seconds, None: that of heartbeats."""

    registration: Registration = Registration.ACCEPTED
    interval: int | None = None


class KnownStation(NamedTuple):
    """A station as it may connect now, and how it is registered."""

    access: StationAccess
    registration: Registration = Registration.ACCEPTED


class CertificateRequest(NamedTuple):
    """A request for a certificate (PEM) that a station sent because it was asked to."""

    station_id: str
    csr: str
    received_at: datetime


class StationRecords(Protocol):
    """What the edge asks and tells of a station beside its declaration."""

    async def known(self, declared: StationAccess) -> KnownStation:
        """Return who may connect as a station that is declared so."""

    async def boot(self, station_id: str) -> BootAnswer:
        """Return what a boot is answered, and note that it is."""

    async def prove(self, station_id: str, password_hash: str) -> None:
        """Note that a new password was seen right: the older ones hold no more."""

    async def end_reservation(self, ended: EndedReservation) -> None:
        """Note what became of a reservation."""

    async def keep_certificate_request(self, request: CertificateRequest) -> None:
        """Keep what a station wants signed, for whoever asked it to."""


class NoRecords:
    """Stations of which nothing was said beside their declarations."""

    async def known(self, declared: StationAccess) -> KnownStation:
        """Return the station as declared."""
        return KnownStation(declared)

    async def boot(self, station_id: str) -> BootAnswer:  # noqa: ARG002 - the same for each
        """Accept."""
        return BootAnswer()

    async def prove(self, station_id: str, password_hash: str) -> None:
        """Note nothing: there are none but the declared ones."""

    async def end_reservation(self, ended: EndedReservation) -> None:
        """Note nothing: there are none."""

    async def keep_certificate_request(self, request: CertificateRequest) -> None:
        """Keep nothing: the log has it."""


NO_RECORDS: Final = NoRecords()


class PostgresStationRecords:
    """Records in tables that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._known: Gatherer[StationAccess, KnownStation] = Gatherer(connect, _known)
        self._boots: Gatherer[str, BootAnswer] = Gatherer(
            connect, _boot, patience_seconds=BOOT_PATIENCE_SECONDS
        )
        self._proofs: Gatherer[tuple[str, str], None] = Gatherer(connect, _prove)
        self._ends: Gatherer[EndedReservation, None] = Gatherer(connect, end_reservations)
        self._requests: Gatherer[CertificateRequest, None] = Gatherer(connect, _keep_requests)

    async def known(self, declared: StationAccess) -> KnownStation:
        """Return who may connect as a station that is declared so."""
        return await self._known.ask(declared)

    async def boot(self, station_id: str) -> BootAnswer:
        """Return what a boot is answered, and note that it is."""
        return await self._boots.ask(station_id)

    async def prove(self, station_id: str, password_hash: str) -> None:
        """Note that a new password was seen right: the older ones hold no more."""
        await self._proofs.ask((station_id, password_hash))

    async def end_reservation(self, ended: EndedReservation) -> None:
        """Note what became of a reservation."""
        await self._ends.ask(ended)

    async def keep_certificate_request(self, request: CertificateRequest) -> None:
        """Keep what a station wants signed, for whoever asked it to."""
        await self._requests.ask(request)

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._known, self._boots, self._proofs, self._ends, self._requests):
            await each.close()


class _Given(NamedTuple):
    hash: str
    declared_hash: str | None
    state: str


def _hashes(declared: StationAccess, given: Sequence[_Given]) -> tuple[str, ...]:
    """Return the hashes of the passwords that may be right, the newest first."""
    found: list[str] = []
    for each in given:
        if each.declared_hash != next(iter(declared.password_hashes), None):
            break  # another one was declared since
        if each.state == "proven":
            return (*found[:UNPROVEN_MAX], each.hash)
        found.append(each.hash)
    return (*found[:UNPROVEN_MAX], *declared.password_hashes)


async def _known(
    connection: psycopg.AsyncConnection, asked: Sequence[StationAccess]
) -> Sequence[KnownStation]:
    ids = sorted({each.station_id for each in asked})
    given: defaultdict[str, list[_Given]] = defaultdict(list)
    for station_id, *row in await (await connection.execute(_PASSWORDS, (ids,))).fetchall():
        given[station_id].append(_Given(*row))
    told: dict[str, str] = dict(await (await connection.execute(_SETTINGS, (ids,))).fetchall())
    return [
        KnownStation(
            replace(each, password_hashes=_hashes(each, given[each.station_id])),
            Registration(told.get(each.station_id, Registration.ACCEPTED)),
        )
        for each in asked
    ]


async def _boot(connection: psycopg.AsyncConnection, asked: Sequence[str]) -> Sequence[BootAnswer]:
    ids = sorted(set(asked))
    rows = await (await connection.execute(_BOOT, (ids, ids))).fetchall()
    found = {
        station_id: BootAnswer(Registration(boot), interval) for station_id, boot, interval in rows
    }
    return [found.get(each, BootAnswer()) for each in asked]


async def _keep_requests(
    connection: psycopg.AsyncConnection, asked: Sequence[CertificateRequest]
) -> Sequence[None]:
    for each in sorted(asked):
        await connection.execute(_REQUEST, each)
    return [None] * len(asked)


async def _prove(
    connection: psycopg.AsyncConnection, seen: Sequence[tuple[str, str]]
) -> Sequence[None]:
    columns = [list(column) for column in zip(*sorted(set(seen)), strict=True)]
    await connection.execute(_PROVE, columns)
    return [None] * len(seen)

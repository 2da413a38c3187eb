"""What a decision takes time zones to be: asked once, recorded on it, and taken from there again.

Three zones bear on a session: the site's prices it, the legal entity's says in which month it is
billed, and the station's own (mostly the site's) what its clock meant, where that tells times
without a zone or wrongly. A younger tzdata may say of any of them something else. So a decision
records the offsets that it used, and from which tzdata; a replay reads them there (`recorded`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import msgspec

from ledger.facts.flags import Flag
from ledger.rating.decisions import SessionHeld, SessionWrittenOff, ZoneOffsets
from ledger.sessions.session import ChargingSession
from tariffs.offsets import UtcOffsets, offsets_over
from tariffs.zones import TZDATA_VERSION, UnknownZoneError

TOLD_BY_ZONE: Final = frozenset({Flag.ZONE_MISSING, Flag.TZ_MISLABELLED, Flag.CLOCK_AHEAD})
"""Flags of sessions whose times were found with the help of the station's time zone."""


class ZoneReading(NamedTuple):
    """What a version of tzdata says of a zone over a session."""

    tzdata_version: str
    offsets: UtcOffsets


class Zones(Protocol):
    """Knows what the clocks of time zones show."""

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        """Return the offsets of *zone* over a session.

        Raises:
            UnknownZoneError: If there is none of that name.
        """


class _PinnedZones:
    """Zones as the pinned tzdata knows them."""

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        """Return what tzdata says today."""
        return ZoneReading(TZDATA_VERSION, offsets_over(zone, starts_at, ends_at))


PINNED_ZONES: Zones = _PinnedZones()


class ReadZones(NamedTuple):
    """What a decision records of time zones; () where it used none."""

    tzdata_version: str
    offsets: tuple[ZoneOffsets, ...]

    def of(self, zone: str) -> UtcOffsets:
        """Return the offsets of one zone that was read."""
        return next(each.offsets for each in self.offsets if each.zone == zone)


def read_zones(
    session: ChargingSession, station_zone: str, names: Iterable[str], zones: Zones
) -> ReadZones:
    """Read the zones *names*, each once, and the station's own where the session's times need it.

    Raises:
        UnknownZoneError: If one does not exist.
    """
    starts_at = session.started_at or session.first_received_at
    ends_at = session.ended_at or session.provisional_ended_at or session.last_received_at
    is_told_by_zone = not TOLD_BY_ZONE.isdisjoint(session.flags)
    if is_told_by_zone:
        starts_at = min(starts_at, session.first_received_at)
        ends_at = max(ends_at, session.last_received_at)
    readings = {name: zones.read(name, starts_at, ends_at) for name in dict.fromkeys(names)}
    if is_told_by_zone and station_zone not in readings:
        # Where there is none of that name, the fold took UTC.
        with suppress(UnknownZoneError):
            readings[station_zone] = zones.read(station_zone, starts_at, ends_at)
    version = next((each.tzdata_version for each in readings.values()), TZDATA_VERSION)
    return ReadZones(
        version, tuple(ZoneOffsets(name, each.offsets) for name, each in readings.items())
    )


def with_zones(
    decision: SessionHeld | SessionWrittenOff,
    session: ChargingSession,
    station_zone: str,
    zones: Zones,
) -> SessionHeld | SessionWrittenOff:
    """Return *decision* with what it used of time zones: the station's, where its times need it.

    One that was priced first has them, and that of its site.
    """
    if decision.offsets:
        return decision
    read = read_zones(session, station_zone, (), zones)
    if not read.offsets:
        return decision
    return msgspec.structs.replace(
        decision, tzdata_version=read.tzdata_version, offsets=read.offsets
    )

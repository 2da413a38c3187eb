"""What is known of a station from outside its frames: declared, never learnt."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal

import msgspec

from tariffs.offsets import UtcOffsets, zone_with
from tariffs.zones import UnknownZoneError, zone

POWER_DEFAULT_W = Decimal(500_000)
"""The most that any connector of today delivers; used where nothing is declared."""


class StationTraits(msgspec.Struct, frozen=True, kw_only=True):
    """Declared properties of one station that the fold needs.

    `max_power_w` is one connector's. `clock_offset_s` (added to device times) and `naive_is_utc`
    override what is learnt; `register_factor` corrects a model that labels kWh as Wh (1000).
    `offsets` are what clocks in `time_zone` showed, where that was recorded; else tzdata is asked.
    """

    time_zone: str = "UTC"
    max_power_w: Decimal = POWER_DEFAULT_W
    connectors: tuple[int, ...] = ()
    commissioned_on: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    clock_offset_s: int | None = None
    naive_is_utc: bool = False
    register_factor: Decimal | None = None
    offsets: UtcOffsets = ()

    @property
    def zone(self) -> tzinfo:
        """The zone of times that the station tells without one; UTC where it is unknown."""
        return zone_with(self.offsets) if self.offsets else zone_of(self.time_zone)

    def held_at(self, at: datetime) -> StationTraits:  # noqa: ARG002 - nothing else ever held
        """Return what held *at* a moment: a session is read as its station was then."""
        return self


class ChangedTraits(StationTraits, frozen=True, kw_only=True):
    """Traits of a station of which others held before: `earlier`, each until its moment, in order.

    A firmware that names another unit, or a site that keeps another time, changes no session that
    was over by then.
    """

    earlier: tuple[tuple[datetime, StationTraits], ...]

    def held_at(self, at: datetime) -> StationTraits:
        """Return what held *at* a moment; of what was before all that is known the first."""
        return next((traits for until, traits in self.earlier if at < until), self)


def zone_of(name: str) -> tzinfo:
    """Return the zone *name*, UTC when there is none of that name."""
    try:
        return zone(name)
    except UnknownZoneError:
        return UTC

"""What a rating needs that is neither in the session's facts nor declared.

What others used of shared grants, and what time zones are said to be: each is asked once, recorded
on the decision, and taken from there by a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from tariffs.adjustments.consumption import NOTHING, Consumption
from tariffs.offsets import UtcOffsets, offsets_over
from tariffs.zones import TZDATA_VERSION


class AllowanceKey(NamedTuple):
    """What is counted: whose shared grant of which tariff, in which period."""

    key: str
    period: str


class Standing(NamedTuple):
    """How many sessions have counted under a key, and what they used together."""

    number: int = 0
    used: Consumption = NOTHING


class Allowances(Protocol):
    """Knows what other sessions used of shared grants (`ledger.rating.allowances`)."""

    def standings(self, session_id: str, keys: Sequence[AllowanceKey]) -> tuple[Standing, ...]:
        """Return how *keys* stand for a session that is rated now."""


class _NothingUsed:
    """Where nobody has used anything."""

    def standings(self, session_id: str, keys: Sequence[AllowanceKey]) -> tuple[Standing, ...]:  # noqa: ARG002
        """Return that nothing was used of any of *keys*."""
        return (Standing(),) * len(keys)


NOTHING_USED: Allowances = _NothingUsed()


class ZoneReading(NamedTuple):
    """What a version of tzdata says of a zone over a session."""

    tzdata_version: str
    offsets: UtcOffsets


class Zones(Protocol):
    """Knows what the clocks of time zones show (`ledger.rating.recorded` for a replay)."""

    def read(
        self, session_id: str, zone: str, starts_at: datetime, ends_at: datetime
    ) -> ZoneReading:
        """Return the offsets of *zone* over a session.

        Raises:
            UnknownZoneError: If there is none of that name.
        """


class _PinnedZones:
    """Zones as the pinned tzdata knows them."""

    def read(
        self,
        session_id: str,  # noqa: ARG002 - the same for all
        zone: str,
        starts_at: datetime,
        ends_at: datetime,
    ) -> ZoneReading:
        """Return what tzdata says today."""
        return ZoneReading(TZDATA_VERSION, offsets_over(zone, starts_at, ends_at))


PINNED_ZONES: Zones = _PinnedZones()


class Entitlements(msgspec.Struct, frozen=True, kw_only=True):
    """`validations` are the codes shown for the session, `allowances` what others used before.

    `zones` say what the clocks at its site show.
    """

    validations: tuple[str, ...] = ()
    allowances: Allowances = NOTHING_USED
    zones: Zones = PINNED_ZONES


NO_ENTITLEMENTS = Entitlements()

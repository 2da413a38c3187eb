"""What is priced: the energy and time of one Charging Session, as exact readings and stretches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from tariffs.adjustments.consumption import Consumed
from tariffs.offsets import UtcOffsets, zone_with
from tariffs.zones import zone

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000


class Activity(StrEnum):
    """What the vehicle does. Only a vehicle that requests no power is PARKING.

    An EVSE that withholds energy (SuspendedEVSE) is still CHARGING.
    Source: OCPI 2.2.1-bugfixes (2026-05), mod_tariffs, PARKING_TIME.
    """

    CHARGING = "charging"
    PARKING = "parking"
    RESERVATION = "reservation"


class UsagePoint(msgspec.Struct, frozen=True, gc=False):
    """Energy since the start of the session at one moment (aware, UTC).

    `power_w` and `current_a` (sum over phases), where measured, hold until the next point.
    """

    at: datetime
    energy_wh: Decimal
    power_w: Decimal | None = None
    current_a: Decimal | None = None


class UsageSpan(msgspec.Struct, frozen=True, gc=False):
    """From `starts_at` until the next span (or the end) the vehicle does `activity`."""

    starts_at: datetime
    activity: Activity


class SessionUsage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One session as the kernel prices it, at a site in `time_zone`.

    The first point lies at `starts_at` with 0 Wh, the last at `ends_at` with the total; no points
    means no energy. No spans means charging all the time. `groups` are the token's groups,
    `validations` the codes (a shop's stamp, a hotel stay) shown for this session, `payment_method`
    how it is paid. `reverse_charge_vat_id` is the VAT id of a business customer who owes the VAT
    in the supplier's place; whether that is so, the ledger knows. `used` is what other sessions
    used before of the tariff's shared grants: nothing, where one is not named. `offsets` are what
    the site's clocks showed, where that was settled before; else tzdata is asked.
    """

    starts_at: datetime
    ends_at: datetime
    time_zone: str
    points: tuple[UsagePoint, ...] = ()
    spans: tuple[UsageSpan, ...] = ()
    groups: tuple[str, ...] = ()
    validations: tuple[str, ...] = ()
    reservation_expired: bool = False
    payment_method: str | None = None
    reverse_charge_vat_id: str | None = None
    used: tuple[Consumed, ...] = ()
    offsets: UtcOffsets = ()

    @property
    def zone(self) -> tzinfo:
        """The site's time zone.

        Raises:
            UnknownZoneError: If there is none of that name.
        """
        return zone_with(self.offsets) if self.offsets else zone(self.time_zone)

    def is_in(self, group: str) -> bool:
        """Tell whether the token is in *group*; groups compare without case, as tokens do."""
        return group.casefold() in {each.casefold() for each in self.groups}


def microseconds(moment: datetime) -> int:
    """Return *moment* as whole microseconds since 1970 (exact, unlike a timestamp)."""
    since = moment - EPOCH
    return since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds


def moment_of(microseconds_: int) -> datetime:
    """Return the aware UTC datetime that lies *microseconds_* after 1970."""
    return EPOCH + timedelta(microseconds=microseconds_)

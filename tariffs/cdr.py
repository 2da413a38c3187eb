"""A CDR as the kernel checks it: charging periods with the volumes that a partner states."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from tariffs.tariff import Tariff


class ChargingPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One period as sent. kWh, hours, kW and A; None where the dimension was not sent.

    It ends where the next one starts; the last ends with the CDR.
    """

    starts_at: datetime
    energy: Decimal | None = None
    time: Decimal | None = None
    parking_time: Decimal | None = None
    reservation_time: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    tariff_id: str | None = None


class Cdr(msgspec.Struct, frozen=True, kw_only=True):
    """A closed, priced session as exchanged. Stated totals are None where they were not sent."""

    id: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    periods: tuple[ChargingPeriod, ...]
    time_zone: str | None = None
    tariffs: tuple[Tariff, ...] = ()
    stated_before_taxes: Decimal | None = None
    stated_after_taxes: Decimal | None = None

    @property
    def reservation_expired(self) -> bool:
        """Tell whether nothing but a reservation happened.

        Source: OCPI 2.2.1, mod_cdrs: an expired reservation is a CDR without charging.
        """
        return all(period.reservation_time is not None for period in self.periods)

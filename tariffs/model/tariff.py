"""The tariff: OCPI 2.3.0's objects, frozen, with our extensions beside them.

Older OCPI versions and our YAML only translate into this model.
Source: OCPI 2.3.0, mod_tariffs, Tariff object and its classes.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

import msgspec

from tariffs.adjustments.adjustment import Adjustment, QuantityTax
from tariffs.holiday_calendar import HolidayCalendar
from tariffs.model.policy import FlatPolicy, RoundingUnit, StepPolicy
from tariffs.model.price_series import PriceSeries
from tariffs.quantities import RoundingMode
from tariffs.taxes.sales_taxes import SalesTax


class Dimension(StrEnum):
    """What a price component charges for.

    RESERVATION_TIME and SESSION stand on priced lines only: TIME of a reservation, and what
    concerns the session as a whole (a price limit).
    """

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"
    RESERVATION_TIME = "RESERVATION_TIME"
    SESSION = "SESSION"


COMPONENT_DIMENSIONS = (
    Dimension.FLAT,
    Dimension.ENERGY,
    Dimension.TIME,
    Dimension.PARKING_TIME,
)


class Weekday(StrEnum):
    """Days of the week in OCPI's words; their order is that of datetime.weekday()."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


WEEKDAYS = tuple(Weekday)


class ReservationRestriction(StrEnum):
    """The element prices a reservation, or one that expired; or a booking.

    A usage has no bookings, so what is restricted to them holds for no session. Source: OCPI
    2.3.0, branch for bookings, mod_tariffs; FLAT and TIME only.
    """

    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"
    BOOKING = "BOOKING"
    BOOKING_EXPIRES = "BOOKING_EXPIRES"
    BOOKING_CANCELLATION_FEES = "BOOKING_CANCELLATION_FEES"
    BOOKING_OVERTIME = "BOOKING_OVERTIME"

    @property
    def is_booking(self) -> bool:
        """Tell whether it is one of OCPI's bookings, which older versions cannot say."""
        return self.value.startswith("BOOKING")


class TaxIncluded(StrEnum):
    """How to read `price`: with taxes, without, or in a place without taxes."""

    YES = "YES"
    NO = "NO"
    NOT_APPLICABLE = "N/A"


class PriceComponent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A price for one dimension: per kWh, per hour, per hour, or once (FLAT).

    `vat` in percent; None means that no VAT applies, which is not 0 %. `step_size` in Wh or
    seconds; 0 bills the exact volume, as our files do where they state none. With `series` the
    price of the tariff's series is added.
    """

    dimension: Dimension
    price: Decimal
    vat: Decimal | None = None
    # OCPI requires it and advises 1, which rounds fractions of a Wh up; 3.0 will have none.
    step_size: int = 0
    series: bool = False


class Restrictions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When an element applies: all that are given must hold. Every range is half open.

    Times, dates and weekdays are local to the site; an end before the start wraps past midnight,
    00:00 as an end is the end of the day. Durations in seconds, from the start of charging.
    `holidays` are dates that count like a day in `day_of_week`; `season_start` and `season_end`
    ("11-01", "04-01") recur every year and may reach over its end. Both are ours, not OCPI's.
    """

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[Weekday, ...] = ()
    reservation: ReservationRestriction | None = None
    holidays: tuple[date, ...] = ()
    season_start: str | None = None
    season_end: str | None = None


class TariffElement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Price components that share their restrictions; `name` is ours, for people."""

    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions = Restrictions()
    name: str | None = None

    @property
    def has_session_fee(self) -> bool:
        """Tell whether it has a fee for the session; that for a reservation is another."""
        return self.restrictions.reservation is None and any(
            component.dimension is Dimension.FLAT for component in self.price_components
        )


class PriceLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The least or most that a session costs, before and after taxes."""

    before_taxes: Decimal
    after_taxes: Decimal | None = None


class Tariff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a tariff. Validity is half open and in UTC.

    `adjustments` are what OCPI cannot say; they apply in this order, after the elements.
    `sales_taxes` are what the components' VAT consists of; `quantity_taxes` come on top, last.
    What it says of steps, rounding and fees (`choices`) holds whatever policy prices it. Only with
    `below_zero` may prices and surcharges be negative: then the driver is paid. No price depends on
    `preauthorize_amount`: how much is put aside before a driver without contract starts.
    """

    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    tax_included: TaxIncluded = TaxIncluded.NO
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    adjustments: tuple[Adjustment, ...] = ()
    name: str | None = None
    type: str | None = None
    country_code: str | None = None
    party_id: str | None = None
    alt_text: tuple[tuple[str, str], ...] = ()
    alt_url: str | None = None
    last_updated: datetime | None = None
    price_series: PriceSeries | None = None
    sales_taxes: tuple[SalesTax, ...] = ()
    quantity_taxes: tuple[QuantityTax, ...] = ()
    holidays: HolidayCalendar | None = None
    step_policy: StepPolicy | None = None
    rounding: RoundingUnit | None = None
    rounding_mode: RoundingMode | None = None
    flat_policy: FlatPolicy | None = None
    below_zero: bool = False
    preauthorize_amount: Decimal | None = None

    @property
    def choices(self) -> dict[str, StrEnum]:
        """Return what it chooses itself of a policy, by the policy's own names."""
        own = {
            "steps": self.step_policy,
            "rounding_unit": self.rounding,
            "rounding_mode": self.rounding_mode,
            "flats": self.flat_policy,
        }
        return {name: choice for name, choice in own.items() if choice is not None}

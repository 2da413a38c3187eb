"""A CDR as the kernel checks it: charging periods with the volumes that a partner states."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from tariffs.model.tariff import Tariff
from tariffs.quantities import EXACT, plain


class ChargingPeriod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One period as sent. kWh, hours, kW and A; None where the dimension was not sent.

    It ends where the next one starts; the last ends with the CDR. `others` are the
    dimensions that no price depends on.
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
    others: tuple[tuple[str, Decimal], ...] = ()


class StatedTax(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One tax on a stated amount (OCPI 2.3.0, TaxAmount)."""

    name: str
    amount: Decimal
    percentage: Decimal | None = None
    account_number: str | None = None


class StatedCost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An amount that a CDR states: before taxes, and its taxes (2.3.0) or `gross` with them.

    Older versions state `gross` only; where no taxes are stated it is None, too.
    """

    before_taxes: Decimal | None
    taxes: tuple[StatedTax, ...] = ()
    gross: Decimal | None = None

    @property
    def after_taxes(self) -> Decimal | None:
        """Return the amount with taxes; None if the CDR states none."""
        if not self.taxes or self.before_taxes is None:
            return self.gross
        # 2.3.0 states no amount after taxes, only the taxes.
        after = self.before_taxes
        for tax in self.taxes:
            after = EXACT.add(after, tax.amount)
        return plain(after)


class StatedTotals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The totals that a CDR states, in OCPI's words; None where one was not sent.

    Costs in the CDR's currency, energy in kWh, times in hours.
    """

    total_cost: StatedCost | None = None
    total_fixed_cost: StatedCost | None = None
    total_energy: Decimal | None = None
    total_energy_cost: StatedCost | None = None
    total_time: Decimal | None = None
    total_time_cost: StatedCost | None = None
    total_parking_time: Decimal | None = None
    total_parking_cost: StatedCost | None = None
    total_reservation_cost: StatedCost | None = None


class Cdr(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A closed, priced session as exchanged.

    `currency` is None where none was sent. A credit CDR (`credit_reference_id`) repeats the one
    that it takes back, with its total cost negated.
    """

    id: str
    starts_at: datetime
    ends_at: datetime
    currency: str | None
    periods: tuple[ChargingPeriod, ...]
    time_zone: str | None = None
    tariffs: tuple[Tariff, ...] = ()
    stated: StatedTotals = StatedTotals()
    is_credit: bool = False
    credit_reference_id: str | None = None

    @property
    def reservation_expired(self) -> bool:
        """Tell whether nothing but a reservation happened.

        Source: OCPI 2.2.1, mod_cdrs: an expired reservation is a CDR without charging.
        """
        # The last period tells of nearly every CDR that it is none.
        return not self.periods or (
            self.periods[-1].reservation_time is not None
            and all(period.reservation_time is not None for period in self.periods)
        )

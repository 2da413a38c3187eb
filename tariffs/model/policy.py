"""Policies: every ambiguity of the standard as a named, versioned choice that a result records."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tariffs.errors import TariffError
from tariffs.quantities import RoundingMode


class StepPolicy(StrEnum):
    """Which edition's step_size rule holds.

    BILLABLE_LAST_DIMENSION: OCPI 2.2.1-bugfixes and 2.3.0 second edition (parking absorbs).
    COMBINED_DURATION_2021: tag 2.2.1 of 2021 (billable charging and parking time as one sum).
    AS_PRINTED_D2: v2.2.1-d2, with the prices that its free-of-charge example exchanges.
    NONE_3_0: no step_size at all, as in OCPI 3.0.
    """

    BILLABLE_LAST_DIMENSION = "billable_last_dimension"
    COMBINED_DURATION_2021 = "combined_duration_2021"
    AS_PRINTED_D2 = "as_printed_d2"
    NONE_3_0 = "none_3_0"


class RoundingUnit(StrEnum):
    """What is rounded to minor units: each line, each charging period, or the total."""

    LINE = "line"
    PERIOD = "period"
    TOTAL = "total"


class FlatPolicy(StrEnum):
    """Whether every FLAT that becomes active is billed (once each), or the first only."""

    EACH_COMPONENT = "each_component"
    FIRST_ONLY = "first_only"


class NoDataPolicy(StrEnum):
    """What a power or current restriction does where nothing was measured.

    MEAN_BETWEEN_READINGS: of our own sessions the readings say the power: their mean, from each to
    the next. What even they do not say (a current) is never the dearer price. A partner's CDR
    is priced as sent, as by IGNORE_RESTRICTION.
    """

    MEAN_BETWEEN_READINGS = "mean_between_readings"
    IGNORE_RESTRICTION = "ignore_restriction"
    SKIP_ELEMENT = "skip_element"


class LimitTaxPolicy(StrEnum):
    """What a limit before taxes does to the taxes, which a limit after taxes then bounds."""

    PROPORTIONAL = "proportional"
    UNCHANGED = "unchanged"


class LeastPricePolicy(StrEnum):
    """Which sessions cost at least min_price: every one (the text's words), or with energy only."""

    EVERY_SESSION = "every_session"
    WITH_ENERGY = "with_energy"


class PricingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One set of choices; its name and version stand on every result.

    `cash_cents` is the least that can be paid, in hundredths of the currency's unit: 5 where coins
    begin at 0.05, 0 where no coins count.
    """

    name: str
    version: str
    steps: StepPolicy = StepPolicy.BILLABLE_LAST_DIMENSION
    rounding_unit: RoundingUnit = RoundingUnit.TOTAL
    rounding_mode: RoundingMode = RoundingMode.HALF_UP
    flats: FlatPolicy = FlatPolicy.EACH_COMPONENT
    no_data: NoDataPolicy = NoDataPolicy.MEAN_BETWEEN_READINGS
    limit_tax: LimitTaxPolicy = LimitTaxPolicy.PROPORTIONAL
    least_price: LeastPricePolicy = LeastPricePolicy.EVERY_SESSION
    cash_cents: int = 0

    def coin_minor(self, exponent: int) -> int:
        """Return the smallest coin in minor units of a currency with *exponent* decimals.

        1 where every minor unit can be paid: no yen is less than a coin of 0.05.
        """
        scale: int = 10**exponent
        return max(1, self.cash_cents * scale // 100)


DEFAULT: Final = PricingPolicy(name="wattledger", version="1")

POLICIES: Final[dict[str, PricingPolicy]] = {
    policy.name: policy
    for policy in (
        DEFAULT,
        PricingPolicy(name="ocpi-2.2.1-2021", version="1", steps=StepPolicy.COMBINED_DURATION_2021),
        PricingPolicy(name="ocpi-2.2.1-d2", version="1", steps=StepPolicy.AS_PRINTED_D2),
        PricingPolicy(name="ocpi-3.0", version="1", steps=StepPolicy.NONE_3_0),
        PricingPolicy(name="round-per-line", version="1", rounding_unit=RoundingUnit.LINE),
        PricingPolicy(name="round-per-period", version="1", rounding_unit=RoundingUnit.PERIOD),
        PricingPolicy(name="cash-0.05", version="1", cash_cents=5),
        PricingPolicy(name="first-flat-only", version="1", flats=FlatPolicy.FIRST_ONLY),
        PricingPolicy(name="skip-without-data", version="1", no_data=NoDataPolicy.SKIP_ELEMENT),
        PricingPolicy(name="limit-tax-unchanged", version="1", limit_tax=LimitTaxPolicy.UNCHANGED),
        PricingPolicy(
            name="least-price-with-energy", version="1", least_price=LeastPricePolicy.WITH_ENERGY
        ),
    )
}


def policy_named(name: str) -> PricingPolicy:
    """Return the policy called *name*.

    Raises:
        UnknownPolicyError: If there is none.
    """
    policy = POLICIES.get(name)
    if policy is None:
        raise UnknownPolicyError(name)
    return policy


class UnknownPolicyError(TariffError):
    """A policy name that nothing stands behind."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no policy {name!r}; there are {', '.join(sorted(POLICIES))}")
        self.name = name

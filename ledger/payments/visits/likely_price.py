"""How much is put aside before a visit starts: what a likely session costs there, rounded up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from ledger.master_data.policies import Policy, limit_in
from ledger.rating.payers import CARD
from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import policy_named
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.quantities import EXACT

_WH: Final = 1000


def likely_hold(
    compiled: CompiledTariff, policy: Policy, time_zone: str, moments: Sequence[datetime]
) -> int:
    """Return what is put aside for a session that begins at one of *moments*, in minor units.

    It is what the tariff says (OCPI 2.3.0, mod_tariffs, preauthorize_amount), or the dearest of
    them: the price changes by the clock, and the driver plugs in when it suits. Whole major units,
    within the policy's bounds.

    Raises:
        TariffError: If the kernel refuses the tariff.
    """
    currency = compiled.tariff.currency
    scale = currency_exponent(currency)
    stated = compiled.tariff.preauthorize_amount
    if stated is None:
        likely = max(_price(compiled, policy, time_zone, moment) for moment in moments)
        stated = likely.scaleb(-scale, EXACT)
    whole = stated.to_integral_value(ROUND_CEILING)
    least, most = (
        limit_in(each, currency) for each in (policy.visit_hold_min, policy.visit_hold_max)
    )
    bounded = min(max(whole, least), most)
    return int(bounded.scaleb(scale, EXACT).to_integral_value(ROUND_CEILING))


def _price(
    compiled: CompiledTariff, policy: Policy, time_zone: str, starts_at: datetime
) -> Decimal:
    """Return what the policy's likely session costs with its taxes, in minor units."""
    ends_at = starts_at + timedelta(hours=policy.visit_hours)
    energy_wh = Decimal(policy.visit_kwh * _WH)
    usage = SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=time_zone,
        points=(UsagePoint(starts_at, Decimal(0)), UsagePoint(ends_at, energy_wh)),
        payment_method=CARD,
    )
    priced = price_session(usage, compiled, policy=policy_named(policy.pricing))
    return Decimal(priced.before_minor + priced.tax_minor)

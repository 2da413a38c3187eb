"""What a station reckons that a session costs, held against our price of it.

A station that reckons by itself shows its own figure to the driver. Ours is what is owed; where the
two differ, the decision says so with both, and beyond the policy's `station_cost_limit` a person
looks first.

    station 4.76 EUR with taxes, ours 4.76        -> nothing is said
    station 4.755                                 -> nothing: it is 4.76 in whole cents
    station 4.77, the limit is 1.00               -> rated, with station_cost_differs
    station 6.00                                  -> held: station_cost_differs
    station 4.76 USD                              -> held: no difference can be told
    6.00, but a grant is shared with others       -> rated with the flag: no station can know that

Both figures with taxes where the station says such a one, else both before them; where the buyer
owes the taxes himself, before them first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_quote import StationAmount, StationQuote
from ledger.master_data.policies import Policy, limit_in
from ledger.rating.decisions import SessionRated
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import Money, money_of_minor, round_money


class CostDifference(NamedTuple):
    """How a station's figure differs from ours: in words, and by how much.

    `amount` in major units of `currency`, our price's; None where no amount says it: the station's
    is another. `is_shared`: our price hangs on what others used, of which no station knows.
    """

    said: Phrase
    amount: Decimal | None
    currency: str
    is_shared: bool

    def forbids_rating(self, policy: Policy) -> bool:
        """Whether a person must look first."""
        if self.is_shared:
            return False
        limit = limit_in(policy.station_cost_limit, self.currency)
        return self.amount is None or self.amount > limit

    def noted_on(self, rated: SessionRated) -> SessionRated:
        """Return *rated* with both figures."""
        flags = tuple(sorted({*rated.flags, Flag.STATION_COST_DIFFERS}))
        return replace(rated, flags=flags, notes=(*rated.notes, self.said))


def cost_difference(quote: StationQuote | None, rated: SessionRated) -> CostDifference | None:
    """Return how the cost that a station reckoned differs from *rated*; None where it does not.

    None, too, where the station could not reckon, or said no currency or no total.
    """
    cost = quote.cost if quote else None
    if quote is None or cost is None or cost.currency is None or cost.failure is not None:
        return None
    found = _comparable(cost.total, rated)
    if found is None:
        return None
    told, ours_minor, basis = found
    amount = None
    if cost.currency == rated.currency:
        theirs_minor = round_money(Money(told, rated.currency))
        if theirs_minor == ours_minor:
            return None
        amount = money_of_minor(abs(theirs_minor - ours_minor), rated.currency).amount
    said = phrase(
        "station_cost_differs",
        station=f"{told:f} {cost.currency}",
        ours=str(money_of_minor(ours_minor, rated.currency)),
        basis=basis,
        tariff=quote.tariff_id,
    )
    return CostDifference(said, amount, rated.currency, is_shared=bool(rated.allowances))


def _comparable(total: StationAmount, rated: SessionRated) -> tuple[Decimal, int, Phrase] | None:
    """Return a station's figure, ours that says the same, and what both are."""
    gross = (total.incl_tax, rated.gross_minor, phrase("with_taxes"))
    net = (total.excl_tax, rated.net_minor, phrase("before_taxes"))
    figures = (gross, net) if rated.reverse_charge_vat_id is None else (net, gross)
    for told, ours, basis in figures:
        if told is not None:
            return told, ours, basis
    return None

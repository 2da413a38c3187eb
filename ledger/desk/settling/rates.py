"""At which rates a settlement reckons VAT: as declared with the partner, for when it was charged.

That VAT is charged at all, and whether by country, the declaration of the month's end says; at
which rate, the one of the moment at which a CDR ended (Directive 2006/112/EC, art. 63 and 93: the
rate of when the supply was made).

    from 2020    vat_percent 19
    from July    vat_percent 16      a CDR of June that comes in July has 19, one of July 16
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.partners import Partner
from ledger.settlements.statement import VatRate


def vat_rates_of(
    declared: Declarations, party: str, partner: Partner, ends_at: datetime
) -> tuple[VatRate, ...] | msgspec.UnsetType:
    """Return the rates by country, or of different times; unset: there is one, or none.

    Args:
        declared: The history of what is agreed with the partner.
        party: Its key.
        partner: It, at the end of the month.
        ends_at: When the month ends; what begins later is of no CDR of it.
    """
    rates: list[VatRate] = []
    last: dict[str, Decimal] = {}
    # Of several of one moment the last was declared in place of the others, and held alone.
    standing = {row.valid_from: row for row in declared.history(Kind.PARTNER, party)}
    for row in standing.values():
        if not isinstance(row.entity, Partner) or row.valid_from >= ends_at:
            continue
        for country, percent in _told(row.entity, partner).items():
            if last.get(country) != percent:
                last[country] = percent
                rates.append(VatRate(country=country, percent=percent, since=row.valid_from))
    if not partner.vat_by_country and (partner.vat_percent is None or len(rates) <= 1):
        return msgspec.UNSET
    return tuple(rates)


def _told(then: Partner, now: Partner) -> Mapping[str, Decimal]:
    """Return the rates of one declaration, of the kind that holds now."""
    if now.vat_by_country:
        return then.vat_by_country
    return {} if then.vat_percent is None else {"": then.vat_percent}

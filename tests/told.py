"""Sessions that were told what they cost, whatever made it so: net and tax of each line."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ledger.rating.decisions import Payer, SessionRated
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import rated, session

PLAIN = rated(session(token_uid="fleet-1"))
Amounts = tuple[int, int]


def told(
    *lines: tuple[Amounts, str | None],
    tax_included: bool = False,
    country: str = "DE",
    sales_taxes: tuple[SalesTax, ...] = (),
    reverse_charge_vat_id: str | None = None,
    payer: Payer = PLAIN.payer,
    policy: str = "wattledger",
) -> SessionRated:
    """Return a session with *lines*: what each was told to cost (net and tax), and its rate."""
    made = [
        replace(
            PLAIN.lines[0],
            line=number,
            component=f"ENERGY/{number}/priced",
            net_minor=net,
            tax_minor=tax,
            tax_percent=None if percent is None else Decimal(percent),
        )
        for number, ((net, tax), percent) in enumerate(lines, 1)
    ]
    return replace(
        PLAIN,
        lines=tuple(made),
        net_minor=sum(line.net_minor for line in made),
        tax_minor=sum(line.tax_minor for line in made),
        tax_included=tax_included,
        country=country,
        sales_taxes=sales_taxes,
        reverse_charge_vat_id=reverse_charge_vat_id,
        payer=payer,
        policy=policy,
    )

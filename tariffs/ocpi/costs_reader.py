"""The totals that a CDR states: Price of 2.3.0, Price of 2.2.1, or 2.1.1's number."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tariffs.cdr.cdr import StatedCost, StatedTax, StatedTotals
from tariffs.ocpi.fields import JsonFields

COST_KEYS: Final = (
    "total_cost",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)
VAT: Final = "VAT"


def stated_of(fields: JsonFields, *, takes_back: bool = False) -> StatedTotals:
    """Read every total of a CDR; a session states its energy as `kwh`.

    *takes_back*: as for `volume_of`.
    """
    energy = "total_energy" if fields.has("total_energy") else "kwh"
    return StatedTotals(
        total_cost=_cost(fields, "total_cost"),
        total_fixed_cost=_cost(fields, "total_fixed_cost"),
        total_energy=volume_of(fields, energy, takes_back=takes_back),
        total_energy_cost=_cost(fields, "total_energy_cost"),
        total_time=volume_of(fields, "total_time", takes_back=takes_back),
        total_time_cost=_cost(fields, "total_time_cost"),
        total_parking_time=volume_of(fields, "total_parking_time", takes_back=takes_back),
        total_parking_cost=_cost(fields, "total_parking_cost"),
        total_reservation_cost=_cost(fields, "total_reservation_cost"),
    )


def volume_of(
    fields: JsonFields, key: str, *, takes_back: bool = False, required: bool = False
) -> Decimal | None:
    """Read an energy or a time of a CDR.

    One that takes another back states what that one did, its total cost alone negated (OCPI 2.2.1,
    mod_cdrs, Credit CDRs); some senders negate all of it. *takes_back*: it is such a one.
    """
    number = fields.number(key, required=required, signed=takes_back)
    if number is None or number >= 0:
        return number
    fields.note(key, "volume_negated", f"{number} is read as {-number}: only costs are negated")
    return -number


def _cost(fields: JsonFields, key: str) -> StatedCost | None:
    """Read a cost; one amount alone is before taxes. Credit CDRs state negative ones."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        before = fields.number(key, signed=True)
        return None if before is None else StatedCost(before_taxes=before)
    price = JsonFields(value, fields.spot(key), fields.notes)
    new = "before_taxes" in value
    before = price.number("before_taxes" if new else "excl_vat", signed=True)
    after = price.number("after_taxes" if new else "incl_vat", signed=True)
    taxes = tuple(_tax(tax) for tax in price.objects("taxes")) if new else ()
    price.finish()
    if before is None:
        message = "the amount before taxes is missing"
        fields.note(key, "cost_incomplete", message)
        return StatedCost(before_taxes=None, gross=after)
    # With taxes the amount after them follows; a second statement of it might say another.
    return StatedCost(before_taxes=before, taxes=taxes, gross=None if taxes else after)


def _tax(fields: JsonFields) -> StatedTax:
    tax = StatedTax(
        name=fields.text("name") or VAT,
        amount=fields.number("amount", required=True, signed=True) or Decimal(0),
        percentage=fields.number("percentage"),
        account_number=fields.text("account_number"),
    )
    fields.finish()
    return tax

"""What every electronic document needs and was not declared: said by what to declare.

The official rules would refuse it as well, by paths of XML that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.invoices.document import REVERSE_CHARGE, WITHOUT_TAX
from projections.documents.electronic.electronic_invoice import ElectronicInvoice
from projections.documents.electronic.problems import RuleProblem
from projections.documents.electronic.tax_categories import EXPORT, WITHIN_THE_COMMUNITY

_BY_VAT_ID: Final = frozenset({REVERSE_CHARGE, WITHIN_THE_COMMUNITY, EXPORT})
"""Categories in which a tax number is not enough of a seller."""
_BUYER_OWES: Final = frozenset({REVERSE_CHARGE, WITHIN_THE_COMMUNITY})


def undeclared(made: ElectronicInvoice) -> Iterator[RuleProblem]:
    """Yield what lacks in *made* for any buyer at all."""
    seller, buyer = made.seller, made.buyer
    codes = {tax.category.code for tax in made.taxes}
    vat_id, reached = bool(seller.vat_id), buyer.electronic_address
    for rule, is_there, where in (
        ("BR-06", seller.name, "the seller's name"),
        ("BR-07", buyer.name, "the buyer's name"),
        ("BR-09", seller.address.country, "the seller's address.country"),
        (
            "BR-S-02",
            vat_id or seller.tax_number or not codes - {WITHOUT_TAX},
            "the seller's vat_id or tax_number",
        ),
        (
            "BR-63",
            reached is None or (reached.scheme and reached.id),
            'the buyer\'s electronic_address as "scheme:id"',
        ),
        ("BR-AE-02", vat_id or not codes & _BY_VAT_ID, "the seller's vat_id"),
        ("BR-AE-02", buyer.vat_id or not codes & _BUYER_OWES, "the buyer's vat_id"),
        (
            "BR-CO-26",
            vat_id or seller.registration or seller.identifier,
            "the seller's registration or vat_id",
        ),
    ):
        if not is_there:
            yield RuleProblem(rule, f"an electronic invoice says it: declare {where}")

"""The taxes of a document as categories of VAT: each by what EN 16931 lets stand beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from projections.documents.electronic.electronic_invoice import ElectronicInvoice
from projections.documents.electronic.making import electronic_invoice
from tests.projections.documents.electronic.electronic_samples import (
    invoiced,
    of_case,
    public,
    samples,
)
from tests.told import told
from tests.tree import CASES

SAMPLES = samples()


def taxes(made: ElectronicInvoice) -> list[str]:
    return [
        " ".join(
            str(each)
            for each in (
                tax.category.code,
                tax.category.percent,
                tax.taxable,
                tax.tax,
                tax.exemption,
                tax.exemption_code,
            )
        )
        for tax in made.taxes
    ]


def test_a_tax_per_kwh_is_an_exempt_line_by_its_own_name() -> None:
    """What bears VAT is 6.00; of the 7.38 that are due 0.24 are electricity tax."""
    made = electronic_invoice(of_case(CASES / "a-tax-on-a-tax-per-kwh"))

    assert taxes(made) == [
        "E 0 0.24 0.00 electricity tax None",
        "S 19 6.00 1.14 None None",
    ]
    fee, tax = made.lines
    assert (tax.priced.quantity, tax.priced.unit, tax.net) == (Decimal(10), "KWH", Decimal("0.24"))
    assert (tax.priced.price, tax.category.code) == (Decimal("0.024"), "E")
    assert (fee.net, fee.category.code) == (Decimal(6), "S")
    assert (made.totals.net, made.totals.tax, made.totals.due) == (
        Decimal("6.24"), Decimal("1.14"), Decimal("7.38")
    )  # fmt: skip


def test_what_is_not_subject_to_vat_stands_alone_without_vat_ids() -> None:
    made = electronic_invoice(SAMPLES["not subject to VAT"].shown)

    assert taxes(made) == ["O None 3.00 0.00 Not subject to VAT VATEX-EU-O"]
    assert (made.seller.vat_id, made.seller.tax_number, made.buyer.vat_id) == (None, None, None)
    assert made.seller.registration == "HRB 12345 Hamburg"


def test_beside_others_and_for_a_public_buyer_it_is_exempt_and_says_why() -> None:
    beside = electronic_invoice(SAMPLES["four categories"].shown)
    for_public = electronic_invoice(public(SAMPLES["not subject to VAT"].shown))

    assert taxes(beside) == [
        "E 0 0.50 0.00 Not subject to VAT None",
        "Z 0 0.60 0.00 None None",
        "S 10 0.40 0.04 None None",
        "S 20 0.30 0.06 None None",
    ]
    assert taxes(for_public) == ["E 0 3.00 0.00 Nicht umsatzsteuerbar None"]
    assert for_public.seller.vat_id


def test_what_the_buyer_owes_is_told_apart_from_a_rate_of_zero() -> None:
    made = electronic_invoice(SAMPLES["reverse charge"].shown)

    assert taxes(made) == [
        "Z 0 1.00 0.00 None None",
        "AE 0 3.00 0.00 Reverse charge VATEX-EU-AE",
    ]
    assert [each.category.code for each in made.lines] == ["AE", "Z"]


def test_one_rate_in_two_countries_is_one_category() -> None:
    made = electronic_invoice(SAMPLES["two countries"].shown)

    assert taxes(made) == ["S 19 5.00 0.95 None None"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("exempt", "E 0 3.00 0.00 Exempt from VAT None"),
        ("within the Community", "K 0 3.00 0.00 Intra-Community supply VATEX-EU-IC"),
        ("export", "G 0 3.00 0.00 Export outside the EU VATEX-EU-G"),
    ],
)
def test_what_a_document_says_is_untaxed_has_its_code_and_reason(name: str, said: str) -> None:
    assert taxes(electronic_invoice(SAMPLES[name].shown)) == [said]


def test_the_rounding_of_each_category_is_an_allowance_or_a_charge_of_its_own() -> None:
    sessions = [told(((3, 0), "20"), ((9, 0), "7"), tax_included=True)] * 10

    made = electronic_invoice(invoiced(*sessions))

    assert [
        (each.is_charge, each.amount, each.reason, each.category.percent)
        for each in made.allowances
    ] == [
        (False, Decimal("0.06"), "Rounding", Decimal(7)),
        (False, Decimal("0.05"), "Rounding", Decimal(20)),
    ]
    assert made.totals.due == Decimal("1.20")

"""What a document cannot do without is asked for by the name under which it is declared."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.invoices.document import BuyerReferences, Party, SellerDetails
from ledger.invoices.shown import ShownInvoice
from ledger.master_data.addresses import Address
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.problems import NotElectronicError
from projections.documents.electronic.tax_categories import LINES_MAX, is_electronic
from projections.documents.electronic.ubl_writer import ubl
from tariffs.taxes.sales_taxes import SalesTax
from tests.projections.documents.electronic.electronic_samples import SELLER, invoiced, samples
from tests.told import told

PLAIN = invoiced(told(((400, 76), "19")))
REVERSED = samples()["reverse charge"].shown
NOBODY = Party(name=" \n\t")
WITHOUT_IDS = Party(name="Depot GmbH", address=Address(country="DE"))


@pytest.mark.parametrize(
    ("shown", "rule", "where"),
    [
        (replace(PLAIN, seller=NOBODY), "BR-06", "the seller's name"),
        (replace(PLAIN, seller=NOBODY), "BR-09", "the seller's address.country"),
        (replace(PLAIN, buyer=NOBODY), "BR-07", "the buyer's name"),
        (
            replace(PLAIN, buyer_references=BuyerReferences(electronic_address="a@b.example")),
            "BR-63",
            'the buyer\'s electronic_address as "scheme:id"',
        ),
        (
            replace(PLAIN, buyer_references=BuyerReferences(electronic_address="0204:")),
            "BR-63",
            'the buyer\'s electronic_address as "scheme:id"',
        ),
        (replace(REVERSED, seller=WITHOUT_IDS), "BR-AE-02", "the seller's vat_id"),
        (
            replace(REVERSED, buyer=replace(REVERSED.buyer, vat_id=" ")),
            "BR-AE-02",
            "the buyer's vat_id",
        ),
    ],
)
def test_it_is_refused_by_its_rule_and_where_to_declare_it(
    shown: ShownInvoice, rule: str, where: str
) -> None:
    with pytest.raises(NotElectronicError) as refused:
        cii(shown)

    assert (rule, f"an electronic invoice says it: declare {where}") in {
        (each.rule, each.message) for each in refused.value.problems
    }


def test_a_seller_with_a_tax_number_alone_is_known_by_it() -> None:
    details = replace(SELLER, registration=None)

    written = cii(replace(PLAIN, seller=WITHOUT_IDS, seller_details=details)).decode()

    assert "<ram:SellerTradeParty><ram:ID>12/345/67890</ram:ID>" in written
    assert '<ram:ID schemeID="FC">12/345/67890</ram:ID>' in written


def test_a_document_that_does_not_add_up_is_refused_before_it_is_written() -> None:
    with pytest.raises(NotElectronicError, match="BR-CO-15: the total with taxes is"):
        ubl(replace(PLAIN, gross_minor=PLAIN.gross_minor + 1))
    with pytest.raises(NotElectronicError, match="BR-CO-16: what is due is"):
        ubl(replace(PLAIN, due_minor=PLAIN.due_minor - 1))


def test_a_line_whose_tax_the_document_does_not_have_is_refused() -> None:
    strange = tuple(replace(each, country="FR") for each in PLAIN.lines)

    with pytest.raises(NotElectronicError, match="BR-CO-04: the tax of line 1 is none of the"):
        cii(replace(PLAIN, lines=strange))


@pytest.mark.parametrize(
    "shown",
    [
        invoiced(told(((400, 35), "8.875"), country="US")),
        invoiced(
            told(
                ((400, 84), "21"),
                sales_taxes=(
                    SalesTax(name="MwSt", percent=Decimal(20)),
                    SalesTax(name="Kurtaxe", percent=Decimal(1)),
                ),
            )
        ),
        invoiced(told(((4000, 200), "5"), country="KW"), currency="KWD"),
    ],
)
def test_what_en_16931_cannot_say_is_told_apart_and_refused(shown: ShownInvoice) -> None:
    assert not is_electronic(shown)
    with pytest.raises(NotElectronicError, match="it knows no tax but VAT"):
        cii(shown)


@pytest.mark.parametrize(
    ("percent", "details", "is_known"),
    [
        ("19", SellerDetails(), False),
        ("19", SellerDetails(registration="HRB 1"), False),
        ("19", SellerDetails(tax_number="27/123/45678"), True),
        (None, SellerDetails(), False),
        (None, SellerDetails(registration="HRB 1"), True),
    ],
)
def test_a_seller_without_an_id_for_its_vat_has_no_electronic_invoice(
    percent: str | None, details: SellerDetails, *, is_known: bool
) -> None:
    shown = invoiced(told(((400, 76 if percent else 0), percent)))
    shown = replace(shown, seller=WITHOUT_IDS, seller_details=details)

    assert is_electronic(shown) is is_known
    if not is_known:
        with pytest.raises(NotElectronicError, match="declared neither vat_id nor tax_number"):
            cii(shown)


def test_a_document_of_more_lines_than_its_rules_are_asked_of_is_on_paper_alone() -> None:
    most = replace(PLAIN, lines=PLAIN.lines * (LINES_MAX // len(PLAIN.lines)))
    more = replace(most, lines=(*most.lines, PLAIN.lines[0]))

    assert len(most.lines) == LINES_MAX
    assert is_electronic(most)
    assert not is_electronic(more)
    with pytest.raises(NotElectronicError, match="more than 10000 lines"):
        cii(more)

"""German public buyers: known by their Leitweg-ID, and what they ask for beyond EN 16931."""

from __future__ import annotations

from io import BytesIO

import pikepdf
import pytest
from msgspec.structs import replace

from ledger.invoices.document import BuyerReferences, SellerDetails
from ledger.invoices.shown import ShownInvoice
from ledger.master_data.addresses import Address, Contact
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.electronic_invoice import EN16931, XRECHNUNG
from projections.documents.electronic.making import electronic_invoice
from projections.documents.electronic.problems import NotElectronicError
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.pages.pdf import pdf
from tests.projections.documents.electronic.electronic_samples import (
    LEITWEG_ID,
    SELLER,
    TOWN,
    invoiced,
    public,
)
from tests.told import told

SHOWN = public(invoiced(told(((400, 76), "19"))))


def test_only_a_german_buyer_with_one_gets_an_xrechnung() -> None:
    other = replace(SHOWN, buyer_references=BuyerReferences(buyer_reference="Depot 7"))
    mistyped = BuyerReferences(buyer_reference=LEITWEG_ID.replace("-06", "-60"))
    abroad = replace(SHOWN, buyer=replace(TOWN, address=Address(city="Wien", country="AT")))

    assert electronic_invoice(SHOWN).specification == XRECHNUNG
    assert electronic_invoice(other).specification == EN16931
    assert electronic_invoice(replace(SHOWN, buyer_references=mistyped)).specification == EN16931
    assert electronic_invoice(abroad).specification == EN16931


NO_PHONE = Contact(name="Desk", phone="-", email="desk")


@pytest.mark.parametrize(
    ("details", "rule"),
    [
        (replace(SELLER, contact=None), "BR-DE-5"),
        (replace(SELLER, contact=None), "BR-DE-6"),
        (replace(SELLER, contact=None), "BR-DE-7"),
        (replace(SELLER, bank=None), "BR-DE-1"),
        (replace(SELLER, email=None), "PEPPOL-EN16931-R020"),
        (replace(SELLER, contact=NO_PHONE), "BR-DE-27"),
        (replace(SELLER, contact=NO_PHONE), "BR-DE-28"),
    ],
)
def test_what_the_seller_did_not_declare_is_refused_by_its_rule(
    details: SellerDetails, rule: str
) -> None:
    with pytest.raises(NotElectronicError, match=f"{rule}: ") as refused:
        cii(replace(SHOWN, seller_details=details))

    assert rule in {each.rule for each in refused.value.problems}


def test_all_that_lacks_is_said_together_and_where_to_declare_it() -> None:
    nobody = replace(TOWN, address=Address(), email=None)
    seller = replace(SHOWN.seller, address=Address(country="DE"))

    with pytest.raises(NotElectronicError) as refused:
        cii(replace(SHOWN, buyer=nobody, seller=seller, seller_details=SellerDetails()))

    assert {each.rule for each in refused.value.problems} == {
        *(f"BR-DE-{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9)),
        "PEPPOL-EN16931-R010",
        "PEPPOL-EN16931-R020",
    }
    assert "declare the seller's contact.phone" in str(refused.value)


def test_the_reference_stands_in_it() -> None:
    assert f"<ram:BuyerReference>{LEITWEG_ID}</ram:BuyerReference>" in cii(SHOWN).decode()


@pytest.mark.parametrize(
    ("shown", "file_name", "level"),
    [
        (SHOWN, "xrechnung.xml", "XRECHNUNG"),
        (
            replace(SHOWN, buyer_references=BuyerReferences(buyer_reference="Depot 7")),
            "factur-x.xml",
            "EN 16931",
        ),
    ],
)
def test_the_pages_say_which_profile_the_invoice_in_them_has(
    shown: ShownInvoice, file_name: str, level: str
) -> None:
    pages = pdf(shown, xml=cii(shown), evidence=NO_EVIDENCE)

    with pikepdf.open(BytesIO(pages)) as document:
        metadata = document.Root.Metadata.read_bytes().decode()
        assert list(document.attachments) == [file_name]
        assert document.attachments[file_name].get_file().read_bytes() == cii(shown)
    assert f"<fx:DocumentFileName>{file_name}</fx:DocumentFileName>" in metadata
    assert f"<fx:ConformanceLevel>{level}</fx:ConformanceLevel>" in metadata

"""German public buyers: known by their Leitweg-ID, and what they ask for beyond EN 16931."""

from __future__ import annotations

from io import BytesIO

import pikepdf
import pytest
from msgspec.structs import replace
from stdnum.de import leitweg

from ledger.invoices.document import BuyerReferences, SellerDetails
from ledger.invoices.shown import ShownInvoice
from ledger.master_data.addresses import Address, Contact
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.electronic_invoice import EN16931, XRECHNUNG
from projections.documents.electronic.german_public_buyers import is_leitweg_id
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


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("04011000-1234512345-06", True),
        ("992-90009-96", True),
        ("04011000-1234512345-07", False),
        ("04011000-12345-06", False),
        ("", False),
        ("17-12345-06", False),
        ("04011000", False),
        ("04011000-1234512345-06\n", False),
        ("٠٤-06", False),
    ],
)
def test_a_leitweg_id_is_known_by_form_and_check_digits(text: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_leitweg_id(text) == is_one
    assert not is_one or leitweg.is_valid(text)


def test_only_a_german_buyer_with_one_gets_an_xrechnung() -> None:
    other = replace(SHOWN, buyer_references=BuyerReferences(buyer_reference="Depot 7"))
    abroad = replace(SHOWN, buyer=replace(TOWN, address=Address(city="Wien", country="AT")))

    assert electronic_invoice(SHOWN).specification == XRECHNUNG
    assert electronic_invoice(other).specification == EN16931
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

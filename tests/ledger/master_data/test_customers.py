"""Customers: who is a business, and who owes the VAT in the seller's place."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ledger.master_data.customers import Customer, CustomerEntry, CustomerKind

PRIVATE, BUSINESS = CustomerKind.PRIVATE, CustomerKind.BUSINESS
FRENCH = "FR61954506077"


@pytest.mark.parametrize(
    ("kind", "vat_id", "is_business"),
    [
        (None, None, False),
        (None, " ", False),
        (None, FRENCH, True),
        (PRIVATE, FRENCH, False),
        (BUSINESS, None, True),
        (CustomerKind.FLEET, None, True),
        (CustomerKind.AD_HOC, FRENCH, False),
    ],
)
def test_who_says_no_kind_is_a_business_where_there_is_a_vat_id(
    kind: CustomerKind | None, vat_id: str | None, *, is_business: bool
) -> None:
    assert Customer(details="", kind=kind, vat_id=vat_id).is_business is is_business


@pytest.mark.parametrize(
    ("vat_id", "seller", "owes"),
    [
        pytest.param(FRENCH, "DE", True, id="of another country"),
        pytest.param("fr 61 954 506 077", "de", True, id="however it is written"),
        pytest.param(FRENCH, "FR", False, id="of the seller's own"),
        pytest.param("EL094259216", "GR", False, id="Greece writes itself otherwise"),
        pytest.param("XI980780684", "GB", False, id="Northern Ireland is no other country"),
        pytest.param("XI980780684", "IE", True, id="but not Ireland"),
    ],
)
def test_a_business_owes_the_vat_of_a_seller_of_another_country(
    vat_id: str, seller: str, *, owes: bool
) -> None:
    buyer = Customer(details="", vat_id=vat_id, reverse_charge=True)

    assert buyer.owes_vat_itself(seller) is owes


@pytest.mark.parametrize(
    ("vat_id", "seller", "owes"),
    [
        ("DE136695976", "DE", True),
        ("DE136695976", "de", True),
        ("SE716256975501", "SE", False),
        ("NO995525828MVA", "NO", False),
    ],
)
def test_a_dealer_owes_it_to_a_seller_of_its_own_country_where_the_law_says_so(
    vat_id: str, seller: str, *, owes: bool
) -> None:
    dealer = Customer(details="", vat_id=vat_id, reverse_charge=True, resells=True)

    assert dealer.owes_vat_itself(seller) is owes
    assert not replace(dealer, resells=False).owes_vat_itself(seller)
    assert not replace(dealer, reverse_charge=False).owes_vat_itself(seller)


@pytest.mark.parametrize(
    "buyer",
    [
        Customer(details="", vat_id=FRENCH),
        Customer(details="", reverse_charge=True),
        Customer(details="", kind=BUSINESS, reverse_charge=True),
        Customer(details="", kind=PRIVATE, vat_id=FRENCH, reverse_charge=True),
    ],
)
def test_nobody_else_does(buyer: Customer) -> None:
    assert not buyer.owes_vat_itself("DE")


def test_an_entry_says_all_that_is_declared() -> None:
    entry = CustomerEntry(name="Fleet", kind=CustomerKind.FLEET, payment_days=14, vat_id=FRENCH)

    declared = entry.customer()

    assert (declared.kind, declared.payment_days) == (CustomerKind.FLEET, 14)
    assert declared.vat_id == FRENCH

"""Ids that documents print: with right check digits, and of lists that are known."""

from __future__ import annotations

import pytest
from stdnum.eu import vat

from ledger.master_data.documents.bank_codes import is_bic, is_iban
from ledger.master_data.documents.electronic_addresses import address_fault, is_email
from ledger.master_data.documents.leitweg_ids import has_leitweg_form, is_leitweg_id
from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id


@pytest.mark.parametrize(
    "vat_id",
    [
        *("ATU13585627", "BE0428759497", "DE136695976", "DK13585628", "EE100931558", "EL094259216"),
        *("FI20774740", "FR40303265045", "HR33392005961", "HU12892312", "IT00743110157"),
        *("LU15027442", "MT11679112", "NL004495445B01", "PL8567346215", "PT501964843"),
        *("SE123456789701", "SI50223054"),
    ],
)
def test_our_check_of_vat_ids_and_stdnums_agree_on_every_last_digits(vat_id: str) -> None:
    """There is one truth: ours, which is held against the other."""
    for end in range(100):
        other = f"{vat_id[:-2]}{end:02}"
        assert check_vat_id(other).is_right == vat.is_valid(other), other
    assert check_vat_id(vat_id) is VatIdCheck.RIGHT


@pytest.mark.parametrize(
    "iban", ["DE89370400440532013000", "de89 3704 0044 0532 0130 00", "NO9386011117947"]
)
def test_an_iban_may_have_blanks(iban: str) -> None:
    assert is_iban(iban)


@pytest.mark.parametrize(
    "iban",
    [
        "",
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XX00",
        "\u0414E89370400440532013000",
        "D" * 99,
    ],
)
def test_another_digit_makes_an_iban_wrong(iban: str) -> None:
    assert not is_iban(iban)


def test_a_bic_has_8_or_11_characters() -> None:
    assert [
        each for each in ("COBADEFF", "COBADEFFXXX", "COBADEFF1", "12345678", "") if is_bic(each)
    ] == [
        "COBADEFF",
        "COBADEFFXXX",
    ]


def test_a_leitweg_id_has_check_digits() -> None:
    """The example of its specification."""
    assert is_leitweg_id("04011000-1234512345-06")
    assert has_leitweg_form("04011000-1234512345-07")
    assert not is_leitweg_id("04011000-1234512345-07")
    assert not is_leitweg_id("04011000-1234512354-06")
    assert not has_leitweg_form("17011000-12345-06")
    assert not has_leitweg_form("PO-4711")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("0204:04011000-1234512345-06", None),
        ("0088:4012345000009", None),
        ("EM:invoices@example.org", None),
        ("9930:DE136695976", None),
        ("0204:04011000-1234512345-07", "check digits of the Leitweg-ID"),
        ("0088:4012345000008", "no GLN"),
        ("0088:٤٠١٢٣٤٥٠٠٠٠٠٩", "no GLN"),
        ("EM:nobody", "no e-mail address"),
        ("0001:x", "expected scheme:id"),
        ("0204:", "expected scheme:id"),
        ("somewhere", "expected scheme:id"),
        ("", "expected scheme:id"),
    ],
)
def test_an_electronic_address_has_a_scheme_of_the_list(address: str, said: str | None) -> None:
    fault = address_fault(address)

    assert (fault is None) == (said is None)
    assert (said or "") in (fault or "")


@pytest.mark.parametrize(
    ("email", "is_one"),
    [
        ("a@example.org", True),
        ("first.last+tag@mail.example.co.uk", True),
        ("a@localhost", False),
        ("a b@example.org", False),
        ("a@@example.org", False),
        (".a@example.org", False),
        ("a..b@example.org", False),
        ("a@example..org", False),
        ("a@-example.org", False),
        ("a@example.org\nBcc: b@example.org", False),
        ("ä@example.org", False),
        ("a@" + "x." * 200 + "org", False),
    ],
)
def test_an_email_address_is_one_line_with_one_at_sign(email: str, *, is_one: bool) -> None:
    assert is_email(email) == is_one

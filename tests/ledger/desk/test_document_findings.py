"""What the first document would fail at is refused when it is declared, at its spot."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.document_means import InstalledMeans
from ledger.declared.declarations import Declarations
from ledger.desk.master_data_files import MasterData, read_master_data
from ledger.master_data.legal_entities import LegalEntity

SELLER = """legal_entities:
  acme:
    name: Acme GmbH
    country: DE
    time_zone: Europe/Berlin
    invoice_prefix: AC
    vat_id: DE136695976
    address: {street: Hafen 1, postal_code: "20457", city: Hamburg, country: DE}
    bank: {iban: DE89370400440532013000, bic: COBADEFFXXX}
    contact: {name: Accounts, phone: +49 40 123456, email: a@example.org}
"""
BUYERS = "customers:\n"
LEITWEG = "04011000-1234512345-0"


def read(text: str, source: str = "m.yaml") -> MasterData:
    return read_master_data([(text, source)], Declarations(), InstalledMeans())


def problems(text: str) -> list[str]:
    return [str(each) for each in read(text).problems]


def test_a_seller_who_says_all_of_itself_is_taken_without_a_word() -> None:
    data = read(SELLER)

    assert (data.problems, data.warnings) == ([], [])


@pytest.mark.parametrize(
    ("line", "inner", "said"),
    [
        pytest.param("vat_id: DE136695978", "", "its check digits are wrong", id="VAT id"),
        pytest.param("vat_id: DE13669597", "", "it is not as its country", id="VAT id too short"),
        pytest.param("bank: {iban: DE88370400440532013000}", "iban", "its check digits", id="IBAN"),
        pytest.param(
            "bank: {iban: DE89370400440532013000, bic: X}", "bic", "a BIC has 8 or 11", id="BIC"
        ),
        pytest.param("email: acme", "", "expected an e-mail address", id="e-mail"),
        pytest.param(
            'contact: {name: A, phone: "", email: a@example.org}', "phone", "a phone", id="no phone"
        ),
        pytest.param(
            "contact: {name: A, phone: 110110, email: a}",
            "email",
            "expected an e-mail",
            id="contact",
        ),
        pytest.param("address: {country: GER}", "country", "expected a country", id="country"),
        pytest.param("country: Germany", "", "expected a country", id="seller's country"),
        pytest.param("language: tlh", "", "no document is in the language 'tlh'", id="language"),
        pytest.param("name: Άcme 漢 GmbH", "", "no font has 漢 (U+6F22)", id="script"),
        pytest.param('name: "Acme\\nGmbH"', "", "no font has a control character", id="newline"),
        pytest.param('name: "Acme\\u202e"', "", "no font has a control", id="text turned round"),
        pytest.param("name: 🔋", "", "no font has 🔋 (U+1F50B)", id="emoji"),
        pytest.param(
            f"name: {'A' * 201}", "", "it has 201 characters, and may have 200", id="long"
        ),
        pytest.param("name: ' '", "", "a seller needs a name", id="no name"),
        pytest.param('invoice_prefix: "A\\r\\nBcc"', "", "no font has a control", id="prefix"),
        pytest.param(
            f"invoice_prefix: {'A' * 201}", "", "it has 201 characters", id="endless prefix"
        ),
        pytest.param(f"legal_text: {'x' * 2001}", "", "it has 2001 characters", id="legal text"),
        pytest.param("logo: none.svg", "", "cannot read none.svg", id="logo"),
        pytest.param("logo: data:image/gif;base64,AA", "", "expected a picture", id="a GIF"),
    ],
)
def test_a_fault_of_a_seller_is_named_at_its_spot(line: str, inner: str, said: str) -> None:
    name = line.partition(":")[0]
    lines = [each for each in SELLER.splitlines() if not each.startswith(f"    {name}:")]
    lines.append(f"    {line}")
    inner = inner or name
    column = lines[-1].index(f"{inner}:") + 1

    [problem] = problems("\n".join(lines))

    assert problem.startswith(f"m.yaml:{len(lines)}:{column}: {said}")


def test_a_seller_in_a_country_with_vat_has_an_id_for_it() -> None:
    without = SELLER.replace("    vat_id: DE136695976\n", "")
    [said] = read(without).warnings

    assert str(said).startswith("m.yaml:2:3: a seller in DE needs its vat_id, or its tax_number")
    assert problems(without) == []
    assert not read(without + "    tax_number: 27/123/45678\n").warnings
    assert not read(without.replace("country: DE\n    time", "country: US\n    time")).warnings


def test_what_readers_will_miss_is_a_warning() -> None:
    [said] = read(
        "legal_entities:\n  a: {name: A, country: DE, time_zone: UTC, invoice_prefix: A,"
        " vat_id: DE136695976}\n"
    ).warnings

    assert str(said) == (
        "m.yaml:2:3: its documents will lack what their readers need: "
        "street, postal_code, city, bank, contact"
    )


@pytest.mark.parametrize(
    ("buyer", "field", "said"),
    [
        ("{name: B, language: xx}", "language", "no document is in the language"),
        ("{name: B, email: b}", "email", "expected an e-mail address"),
        ("{name: B, delivery: email}", "delivery", "delivery: email needs the customer's email"),
        ("{name: B, delivery: link}", "delivery", "delivery: link needs the customer's email"),
        ("{name: 漢字}", "name", "no font has 漢"),
        ("{name: B, address: {city: 東京}}", "city", "no font has 東"),
        ("{name: B, address: {country: de}}", "country", "expected a country by its two letters"),
        ("{name: B, order_reference: '漢'}", "order_reference", "no font has 漢"),
        ("{name: B, electronic_address: nowhere}", "electronic_address", "expected scheme:id"),
        (
            "{name: B, electronic_address: '0204:04011000-12345-07'}",
            "electronic_address",
            "the check digits of the Leitweg-ID",
        ),
        (
            f"{{name: B, electronic_address: '0204:{LEITWEG}6', buyer_reference: {LEITWEG}7}}",
            "buyer_reference",
            f"{LEITWEG}7 looks like a Leitweg-ID, and its check digits are wrong",
        ),
    ],
)
def test_a_fault_of_a_buyer_is_named_at_its_spot(buyer: str, field: str, said: str) -> None:
    line = f"  b: {buyer}"

    [problem] = problems(f"{BUYERS}{line}\n")

    assert problem.startswith(f"m.yaml:2:{line.index(f'{field}:') + 1}: {said}")


def test_a_businesss_own_number_may_look_like_a_leitweg_id() -> None:
    data = read(f"{BUYERS}  b: {{name: B, buyer_reference: 04-A-11}}\n")

    assert data.problems == []
    assert "looks like a Leitweg-ID" in data.warnings[0].message


def test_a_business_without_address_is_warned_of() -> None:
    data = read(f"{BUYERS}  b: {{name: B, vat_id: DE136695976}}\n")

    assert data.problems == []
    assert "names its address" in data.warnings[0].message


@pytest.mark.parametrize(
    "name", ["Ελληνική Ηλεκτρική", "Київ Енерго", "Łódź Żółć", "Ængström & Søn"]
)
def test_greek_cyrillic_and_all_of_latin_can_be_set(name: str) -> None:
    assert problems(f"{BUYERS}  b: {{name: {name}}}\n") == []


def test_a_logo_beside_the_file_is_taken_into_it(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
    data = read(f"{SELLER}    logo: logo.svg\n", str(tmp_path / "m.yaml"))

    assert data.problems == []
    [seller] = [each.entity for each in data.changes]
    assert isinstance(seller, LegalEntity)
    assert (seller.logo or "").startswith("data:image/svg+xml;base64,")


def test_without_files_of_its_own_only_a_picture_itself_is_a_logo() -> None:
    [problem] = read_master_data([(f"{SELLER}    logo: x.svg\n", "m")], Declarations()).problems

    assert "expected a picture" in problem.message

"""The code that banks' apps scan: by the guidelines, or none."""

from __future__ import annotations

import re
from datetime import date

import pytest
import segno

from ledger.invoices.document import SellerDetails
from ledger.master_data.addresses import BankAccount
from projections.documents.content.teller import Teller
from projections.documents.content.transfer import code_svg, epc_text, iban_groups, transfer
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.languages.language import language_of
from tests.projections.documents.shown_documents import BANK, NUMBER


def test_the_code_has_the_lines_of_the_guidelines() -> None:
    payload = epc_text("Depot GmbH", BANK, NUMBER, 123456)

    assert payload == (
        "BCD\n002\n1\nSCT\nBYLADEM1001\nDepot GmbH\nDE02120300000000202051\nEUR1234.56\n\n\n"
        "WL-2026-000007"
    )


def test_a_name_of_strangers_is_one_line_of_at_most_70_characters() -> None:
    payload = epc_text("A\nEUR999.99\n" + "ж" * 100, BANK, NUMBER, 1)

    assert payload is not None
    assert len(payload.splitlines()) == 11
    assert len(payload.splitlines()[5]) == 70
    assert payload.splitlines()[7] == "EUR0.01"


@pytest.mark.parametrize("minor", [0, -5, 10**11])
def test_an_amount_beyond_the_guidelines_has_no_code(minor: int) -> None:
    assert epc_text("Depot GmbH", BANK, NUMBER, minor) is None


def test_the_drawn_modules_are_those_of_the_code() -> None:
    svg = code_svg("hello")
    drawn = set()
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        drawn |= {(int(x) - 4 + n, int(y) - 4) for n in range(int(length))}

    matrix = segno.make_qr("hello", error="m", boost_error=False, encoding="utf-8").matrix

    dark = {(x, y) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}
    assert drawn == dark


def test_an_iban_stands_in_groups_of_four() -> None:
    assert iban_groups("DE02 1203 00000000202051") == "DE02 1203 0000 0000 2020 51"


def teller(currency: str) -> Teller:
    return Teller(language_of("en"), NO_EVIDENCE, currency)


def test_only_euros_have_a_code_and_only_an_account_has_a_sentence() -> None:
    details, owed = SellerDetails(bank=BANK), (500, date(2026, 12, 15))

    euros = transfer(teller("EUR"), "Depot GmbH", details, NUMBER, owed)
    crowns = transfer(teller("SEK"), "Depot GmbH", details, NUMBER, owed)

    assert euros is not None
    assert crowns is not None
    assert euros.code
    assert "15 December 2026" in euros.sentence or "15" in euros.sentence
    assert NUMBER in crowns.sentence
    assert crowns.code == crowns.code_caption == ""
    assert transfer(teller("EUR"), "Depot GmbH", SellerDetails(), NUMBER, owed) is None
    assert transfer(teller("EUR"), "Depot GmbH", details, NUMBER, (0, None)) is None


def test_the_holder_of_the_account_stands_there_if_it_is_another() -> None:
    bank = BankAccount(iban=BANK.iban, holder="Factor AG")

    made = transfer(teller("EUR"), "Depot GmbH", SellerDetails(bank=bank), NUMBER, (1, None))

    assert made is not None
    assert made.items[0].value == "Factor AG"

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pikepdf
import pytest

from ledger.invoices.document import Party, SellerDetails
from ledger.settlements.netting import settlement_of
from ledger.settlements.statement import (
    CdrSide,
    SettledCdr,
    SettledKind,
    Settlement,
    SettlementTerms,
    VatRate,
)
from projections.documents.settlements.pdf import settlement_pdf
from projections.documents.settlements.sheet import (
    EXCLUDED_SHOWN_MAX,
    ShownSettlement,
    settlement_sheet,
)

DAY = date(2026, 4, 2)


def settlement(sent: str, *, disputed: int = 0, **terms: object) -> Settlement:
    on = SettlementTerms(
        legal_entity="watt",
        party="NL-TNM",
        month="2026-03",
        currency="EUR",
        **terms,  # type: ignore[arg-type]
    )
    cdrs = [
        SettledCdr(
            *(CdrSide.SENT, f"c{number}", f"C{number}", SettledKind.CDR, None, None),
            *(datetime(2026, 3, 1, tzinfo=UTC), Decimal(sent), Decimal(1), Decimal(10_000)),
            is_disputed=number > 0,
        )
        for number in range(disputed + 1)
    ]
    return settlement_of(cdrs, [], on)


def shown(
    of: Settlement, language: str = "en", number: str = "WL-RS-2026-000001"
) -> ShownSettlement:
    us = Party(name="Watt GmbH", vat_id="DE136695976")
    partner = Party(name="TNM <B.V.>", vat_id="NL123456782B90")
    return ShownSettlement(of, number, language, us, SellerDetails(), partner)


def test_the_sheet_says_each_line_and_what_is_due() -> None:
    sheet = settlement_sheet(shown(settlement("10.00", vat_percent=Decimal(19))))

    assert sheet.outcome.value == "€11.90"
    assert sheet.opening == ("You owe us €11.90.",)
    [table] = sheet.tables
    assert table.rows == (
        ("Charging sessions", "1", "10 kWh", "€10.00", "€1.00"),
        ("Difference to the taxes of the CDRs", "", "", "€0.00", "€0.90"),
    )
    assert table.foot[1:] == ("1", "10 kWh", "€10.00", "€1.90")


@pytest.mark.parametrize(
    ("net", "said"),
    [("-5.00", "We owe you €5.00."), ("0", "Nothing is due."), ("10.004", "You owe us €10.00.")],
)
def test_who_owes_whom_is_a_sentence(net: str, said: str) -> None:
    sheet = settlement_sheet(shown(settlement(net)))

    assert sheet.opening == (said, "Reverse charge: NL123456782B90")


def test_a_buyer_who_is_charged_vat_by_country_owes_none_itself() -> None:
    rates = (VatRate(country="?", percent=Decimal(20)),)

    sheet = settlement_sheet(shown(settlement("10.00", vat_rates=rates)))

    assert sheet.opening == ("You owe us €12.00.",)


def test_what_is_finer_than_a_cent_stands_there_to_its_last_digit() -> None:
    [table] = settlement_sheet(shown(settlement("10.004"))).tables

    assert [row[3] for row in table.rows] == ["10.004", "-0.004", "€0.00"]


def test_a_draft_says_so_and_what_is_disputed_is_listed_up_to_a_page() -> None:
    sheet = settlement_sheet(shown(settlement("1.00", disputed=EXCLUDED_SHOWN_MAX + 5), number=""))

    assert sheet.title == "Roaming settlement, draft"
    listed = sheet.tables[-1]
    assert (listed.title, len(listed.rows)) == (
        "Disputed, and not settled yet",
        EXCLUDED_SHOWN_MAX + 1,
    )
    assert listed.rows[-1][0].endswith("+ 5")


@pytest.mark.parametrize("language", ["de", "es", "fr", "it", "nl", "pl", "sv"])
def test_every_language_says_all_of_it(language: str) -> None:
    def texts(tag: str) -> set[str]:
        sheet = settlement_sheet(shown(settlement("10.004", disputed=1), tag))
        found = msgspec.to_builtins(sheet.tables)
        return {sheet.title, sheet.opening[0], *(head["text"] for head in found[0]["heads"])}

    assert texts(language).isdisjoint(texts("en") - {"Quantity", "Energy", "Net"})


def test_the_pages_are_the_same_bytes_again_and_have_the_lines_inside() -> None:
    of = shown(settlement("10.00", vat_percent=Decimal(19)))

    pages = settlement_pdf(of, "row,side\n", DAY)

    assert pages == settlement_pdf(of, "row,side\n", DAY)
    with pikepdf.open(io.BytesIO(pages)) as pdf:
        [attached] = pdf.attachments.values()
        assert attached.get_file().read_bytes() == b"row,side\n"

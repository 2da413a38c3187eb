"""Documents of what was charged at a partner's station: whose it was, and nothing unseen."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

import msgspec
import pytest
from pypdf import PdfReader

from ledger.invoices.shown import ShownInvoice
from projections.documents.content.invoice import invoice_sheet
from projections.documents.content.sheet import DocumentSheet, Item
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.languages.language import LANGUAGES
from projections.documents.pages.pdf import pdf
from projections.documents.screen.html import html
from tests.projections.audit.charged_elsewhere import (
    MARK_UP,
    RETAIL,
    an_invoice_elsewhere,
    evidence_elsewhere,
)
from tests.roaming_ocpi.incoming.partner_stories import cdr_of

ODD = cdr_of(
    id="C<1>&\u202e",
    cdr_location__address="Kade 1\x00\x1b[31m <script>alert(1)</script> \u202e\u6f22" + "x" * 3000,
)


def sheet(shown: ShownInvoice) -> DocumentSheet:
    return invoice_sheet(shown, evidence_elsewhere(shown))


def values(items: tuple[Item, ...]) -> dict[str, str]:
    return {each.label: each.value.replace("\xa0", " ") for each in items}


def test_by_our_tariff_it_names_the_operator_and_the_record_and_not_what_that_bills() -> None:
    made = sheet(an_invoice_elsewhere())

    [block], [behind] = made.sessions, made.appendix.sessions
    assert block.title == "1 · At a charging station of TNM Mobility, Kade 1, Utrecht"
    assert values(block.items) == {
        "Time": "2 Mar 2026, 13:00 – 15:00",
        "Duration": "2 h",
        "Energy": "32 kWh",
        "Charge detail record": "C1",
        "Card": "fleet-1",
    }
    assert (block.curve, block.curve_caption) == ("", "")
    assert [(each.price, each.net) for each in block.lines] == [("€0.40 / kWh", "€12.80")]
    told = values(behind.items)
    assert told["Tariff"].startswith("energy (")
    assert told["Charge detail record"] == "C1 (0/17/0)"
    assert told["Record of the log"] == "0/17"
    assert (behind.readings, behind.remarks) == (None, ())
    assert made.appendix.opening.startswith("Quantities at charging stations of other operators")
    assert "8.00" not in str(msgspec.to_builtins(made))


def test_a_price_that_is_passed_on_says_both_prices_of_it() -> None:
    made = sheet(an_invoice_elsewhere(**MARK_UP))

    [block], [behind] = made.sessions, made.appendix.sessions
    [line] = block.lines
    assert (line.description, line.net, line.gross) == ("Session fee", "€8.80", "€10.65")
    assert line.remarks == (
        "the price of the station's operator, €8.00 before taxes, with our fee of 10%",
    )
    assert "Tariff" not in values(behind.items)


def test_a_price_that_is_passed_on_as_it_is_names_no_fee() -> None:
    made = sheet(an_invoice_elsewhere(passed_on_vat={"NL": Decimal(21)}))

    [line] = made.sessions[0].lines
    assert line.remarks == ("the price of the station's operator, €8.00 before taxes",)
    assert line.net == "€8.00"


def test_a_fleets_cost_centre_has_what_was_charged_elsewhere_too() -> None:
    shown = an_invoice_elsewhere(cost_centre="4711", has_ours=True)

    [centre] = shown.cost_centres
    assert (centre.cost_centre, centre.sessions, centre.energy_wh) == ("4711", 2, Decimal(42_000))
    assert centre.gross_minor == sum(each.gross_minor for each in shown.sessions)


@pytest.mark.parametrize(
    ("cdr", "net_minor"),
    [
        (cdr_of(total_cost={"excl_vat": 0, "incl_vat": 0}), 0),
        (cdr_of(total_cost={"excl_vat": 0.004, "incl_vat": 0.005}), 0),
    ],
)
def test_a_price_of_nothing_that_is_passed_on_is_one_line_too(
    cdr: dict[str, Any], net_minor: int
) -> None:
    shown = an_invoice_elsewhere(cdr=cdr, **MARK_UP)

    assert [each.net_minor for each in shown.lines if not each.is_rounding] == [net_minor]
    assert sheet(shown).sessions[0].lines != ()


def test_beside_sessions_of_ours_the_appendix_says_what_holds_of_which() -> None:
    shown = an_invoice_elsewhere(has_ours=True)
    made = sheet(shown)

    ours, theirs = made.appendix.sessions
    assert (theirs.readings, ours.readings is None) == (None, False)
    assert "shared by time. Quantities at charging stations of other" in made.appendix.opening


def test_without_evidence_the_operator_is_named_as_the_decision_does() -> None:
    made = invoice_sheet(an_invoice_elsewhere(), NO_EVIDENCE)

    assert made.sessions[0].title == "1 · At a charging station of NL-TNM, Kade 1, Utrecht"
    assert made.appendix.sessions[0].remarks == ()


@pytest.mark.parametrize("terms", [RETAIL, MARK_UP])
@pytest.mark.parametrize("cdr", [cdr_of(), ODD])
def test_its_xml_keeps_the_official_rules_whatever_the_partner_wrote(
    cdr: dict[str, Any], terms: dict[str, Any]
) -> None:
    shown = an_invoice_elsewhere("de", cdr=cdr, has_ours=True, **terms)

    for written in (cii(shown), ubl(shown)):
        assert Validator().problems(written) == ()
        assert b"NL-TNM, Kade 1" in written


@pytest.mark.parametrize("tag", LANGUAGES)
def test_pages_are_set_and_nothing_of_a_partner_is_markup(tag: str) -> None:
    shown = an_invoice_elsewhere(tag, cdr=ODD, has_ours=True, **MARK_UP)
    evidence = evidence_elsewhere(shown)

    page = html(shown, evidence=evidence)
    assert "<script>" not in page
    assert "TNM Mobility" in page
    if tag == "de":
        made = pdf(shown, xml=None, evidence=evidence)
        text = "".join(each.extract_text() for each in PdfReader(BytesIO(made)).pages)
        assert "An einer Ladestation von TNM Mobility" in text
        assert Decimal(len(made)) < 2_000_000

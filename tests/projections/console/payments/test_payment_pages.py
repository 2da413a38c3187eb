"""Payments on the demo's month: what pages show equals the books, and nobody sees too much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from csv import DictReader
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any, LiteralString

import pytest

from ledger.database import connect
from ledger.payments.bank.matching import WaitReason
from ledger.payments.bank.proposals import ProposalReason
from ledger.payments.movement import MoneyKind
from ledger.payments.payouts.rules import LineRule
from ledger.payments.requests import RequestKind, RequestState
from ledger.users.roles import Grant, Role
from projections.console.console_words import SPOKEN, words_of
from projections.console.parts.money_words import (
    MOVEMENT_WORDS,
    REQUEST_STATES,
    REQUEST_WORDS,
    RULE_WORDS,
    WAIT_WORDS,
)
from projections.console.payments.disputed import STATUS_WORDS, TO_DO_WORDS
from projections.console.payments.paid_out import STATE_WORDS
from projections.console.payments.unmatched import PROPOSED_WORDS
from projections.payments.dispute_list import TO_DO
from projections.payments.payout_list import STATES
from tariffs.quantities import money_of_minor
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import (
    texts_of_code,
    texts_of_templates,
    titles_of_facts,
)
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
QUAY = "quayside-energy"
NUMBER = re.compile(r'href="/console/payments/(\d+)"')
HERE = "/console/payments"
NEWEST: LiteralString = "ORDER BY happened_at DESC, number DESC"


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def ask(console: ServedConsole, query: LiteralString, *given: object) -> list[Any]:
    with connect(console.dsn) as connection:
        return connection.execute(query, given or None).fetchall()


def test_every_movement_of_the_books_is_listed_once_page_by_page(console: ServedConsole) -> None:
    expected = [str(n) for (n,) in ask(console, f"SELECT number FROM movement {NEWEST}")]
    found, address = list[str](), HERE
    with console.client("fred of payments", Role.FINANCE) as client:
        while address:
            html = client.get(address).raise_for_status().text
            found += NUMBER.findall(html)
            following = re.search(r'href="([^"]+)" rel="next"', html)
            address = unescape(following[1]) if following else ""
        file = client.get(f"{HERE}?format=csv").text

    assert len(expected) > 50
    assert found == expected
    parts = list(DictReader(file.splitlines()))
    [(count, minor)] = ask(console, "SELECT count(*), sum(minor)::bigint FROM allotment")
    assert len(parts) == count
    assert 100 * sum(Decimal(each["part"]) for each in parts) == minor


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("kind=received", "kind = 'received'"),
        ("source=bank", "source LIKE 'bank:%'"),
        ("source=stripe&kind=refunded", "source = 'stripe' AND kind = 'refunded'"),
        (
            "from=2026-03-10&to=2026-03-10",
            "happened_at >= '2026-03-10 00:00Z' AND happened_at < '2026-03-11 00:00Z'",
        ),
        ("entity=quayside-energy", "legal_entity = 'quayside-energy'"),
    ],
)
def test_a_filter_has_what_fits(console: ServedConsole, query: str, where: LiteralString) -> None:
    fitting = ask(console, f"SELECT number FROM movement WHERE {where} {NEWEST} LIMIT 50")
    with console.client("fred of payments", Role.FINANCE) as client:
        html = client.get(f"{HERE}?{query}").raise_for_status().text

    assert NUMBER.findall(html) == [str(number) for (number,) in fitting]


def test_a_movement_shows_its_entry_and_leads_to_all_that_it_is_for(console: ServedConsole) -> None:
    money = words_of("en").language.money
    for kind in MOVEMENT_WORDS:
        rows = ask(
            console,
            "SELECT number, kind || ':' || source || '/' || reference FROM movement"
            " WHERE kind = %s ORDER BY number LIMIT 2",
            kind,
        )
        for number, entry in rows:
            with console.client("fred of payments", Role.FINANCE) as client:
                html = unescape(client.get(f"{HERE}/{number}").raise_for_status().text)
            assert f"Entry {entry}" in html
            posted = ask(
                console,
                "SELECT account, currency, amount_minor FROM posting WHERE entry_id = %s",
                entry,
            )
            assert posted
            for account, currency, minor in posted:
                assert account in html
                assert money(abs(minor), currency) in html
            documents = ask(
                console,
                "SELECT document FROM allotment WHERE number = %s"
                " AND document IN (SELECT number FROM issued_invoice)",
                number,
            )
            for (document,) in documents:
                assert f'href="/console/invoices/{document}"' in html


def test_a_payout_stands_line_by_line_against_the_books(console: ServedConsole) -> None:
    [(payout, lines, minor, currency)] = ask(
        console, "SELECT payout_id, lines, amount_minor, currency FROM payout"
    )
    shown = words_of("en").language.money(minor, currency)
    with console.client("fred of payments", Role.FINANCE) as client:
        listed = unescape(client.get(f"{HERE}/payouts").raise_for_status().text)
        html, address = "", f"{HERE}/payouts/{payout}"
        while address:
            html += unescape(client.get(address).raise_for_status().text)
            following = re.search(r'href="([^"]+)" rel="next"', html[-20_000:])
            address = following[1] if following else ""
        file = client.get(f"{HERE}/payouts?format=csv").text
        of_lines = client.get(f"{HERE}/payouts/{payout}?format=csv").text
        workbook = client.get(f"{HERE}/payouts/{payout}?format=xlsx").content
        nothing = client.get(f"{HERE}/payouts/po_none?format=csv")
    named = ask(console, "SELECT line_id, movement FROM payout_line WHERE payout_id = %s", payout)

    assert f"/payouts/{payout}" in listed
    assert shown in listed
    assert f"{lines} in all" in html
    for line, movement in named:
        assert line in html
        assert movement is None or f'href="{HERE}/{movement}"' in html
    [row] = DictReader(file.splitlines())
    assert (row["payout"], row["difference"]) == (payout, "0.00")
    rows = [*DictReader(of_lines.splitlines())]
    assert sorted(each["line"] for each in rows) == sorted(line for line, _ in named)
    assert len(rows) == lines
    assert money_of_minor(minor, currency).amount == sum(Decimal(each["net"]) for each in rows)
    assert workbook.startswith(b"PK")
    assert nothing.status_code == 404


def test_bank_lines_say_what_they_were_for_and_disputes_how_they_stand(
    console: ServedConsole,
) -> None:
    lines = ask(console, "SELECT line, amount_minor, currency FROM bank_line")
    money = words_of("en").language.money
    with console.client("fred of payments", Role.FINANCE) as client:
        for line, minor, currency in lines:
            html = unescape(client.get(f"{HERE}/lines/{line}").raise_for_status().text)
            assert money(minor, currency) in html
            assert "What is it for?" not in html
            numbers = ask(console, "SELECT number FROM movement WHERE reference = %s", line)
            assert NUMBER.findall(html)[0] == str(numbers[0][0])
        disputes = client.get(f"{HERE}/disputes").raise_for_status().text
        disputed = client.get(f"{HERE}/disputes?format=csv").raise_for_status().text
        empty = client.get(f"{HERE}/unmatched").raise_for_status().text

    assert len(lines) == 16
    named = {name for (name,) in ask(console, "SELECT dispute_id FROM dispute")}
    assert all(each in disputes for each in named)
    assert {each["dispute"] for each in DictReader(disputed.splitlines())} == named != set()
    assert "Nothing of this waits" in empty


def test_who_may_see_what(console: ServedConsole) -> None:
    [(other,)] = ask(
        console, "SELECT max(number) FROM movement WHERE legal_entity <> 'quayside-energy'"
    )
    [(line,)] = ask(
        console, "SELECT min(line) FROM bank_line WHERE legal_entity <> 'quayside-energy'"
    )
    [(payout,)] = ask(console, "SELECT payout_id FROM payout")
    own = ask(console, "SELECT number FROM movement WHERE legal_entity = 'quayside-energy'")
    places = ["", "/unmatched", "/payouts", "/disputes", f"/{other}", f"/lines/{line}"]
    with console.client("petra of payments", Role.PRICING) as client:
        refused = {client.get(HERE + each).status_code for each in places}
    with console.client("quinn of payments", Grant(Role.FINANCE, QUAY)) as client:
        seen = NUMBER.findall(client.get(HERE).text)
        away = [
            client.get(f"{HERE}/{each}").status_code
            for each in (
                other,
                f"lines/{line}",
                f"payouts/{payout}",
                f"payouts/{payout}%00",
                "lines/no%00line",
                "0",
                "9" * 30,
                "no",
            )
        ]
        file = client.get(f"{HERE}?format=csv").text
    site = Grant(Role.FINANCE, QUAY, "quayside")
    with console.client("sita of payments", site) as client:
        nothing = NUMBER.findall(client.get(HERE).text)

    assert refused == {403}
    assert set(seen) <= {str(number) for (number,) in own}
    assert {each["legal_entity"] for each in DictReader(file.splitlines())} <= {QUAY}
    assert away == [404] * len(away)
    assert nothing == []


@pytest.mark.parametrize("place", ["", "/unmatched", "/payouts", "/disputes"])
@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=2026-03-01~",
        "from=yesterday&state=x&days=-1&min=1&kind=none",
        "to=9999-12-31&state=odd&max=1e99&days=99999999",
        "format=pdf",
    ],
)
def test_odd_addresses_are_told_and_no_fault(
    console: ServedConsole, place: str, query: str
) -> None:
    with console.client("fred of payments", Role.FINANCE) as client:
        answer = client.get(f"{HERE}{place}?{query}")

    assert answer.status_code in ({200, 409} if "format" in query else {400}), answer.text


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
def test_each_text_of_payments_is_said_in_each_language(tag: str) -> None:
    words = words_of(tag)
    said = texts_of_templates("payments") | texts_of_code("payments")
    tables = (MOVEMENT_WORDS, WAIT_WORDS, RULE_WORDS, REQUEST_WORDS, REQUEST_STATES)
    for table in (*tables, STATUS_WORDS, TO_DO_WORDS, STATE_WORDS):
        said |= {text for text in table.values() if text}
    said |= {*PROPOSED_WORDS.values(), *titles_of_facts("payments")}
    said -= {text for text in said if text.startswith("/")}

    assert len(said) > 100
    assert sorted(text for text in said if not words.has(text)) == []


def test_each_kind_and_state_has_its_words() -> None:
    assert set(STATE_WORDS) == set(STATES)
    assert set(MOVEMENT_WORDS) == {*MoneyKind}
    assert set(WAIT_WORDS) == {*WaitReason}
    assert set(RULE_WORDS) == {*LineRule}
    assert set(REQUEST_WORDS) == {*RequestKind}
    assert set(REQUEST_STATES) == {*RequestState}
    assert set(PROPOSED_WORDS) == {*ProposalReason}
    assert set(STATUS_WORDS) == set(TO_DO)

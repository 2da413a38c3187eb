"""Integrity in the console: what it says is what the books say, and what was changed is found."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.users.roles import Grant, Role
from projections.balances.trial import trial_balance
from projections.energy.kept_balance import kept_balance
from projections.journal.days import book_days
from tests.projections.books_of_a_day import tamper
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.month_forms import send, wait_for_jobs
from tests.projections.console.served_console import ServedConsole, served_console

PAGE = "/console/integrity"
HARBOUR_ALONE = Grant(Role.FINANCE, legal_entity="harbour-charging")
SITE_ALONE = Grant(Role.FINANCE, legal_entity="harbour-charging", site="harbour")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.fixture
def own_console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def said(answer: httpx.Response) -> str:
    return html.unescape(answer.text)


def rows_of(shown: str) -> str:
    table = shown[shown.index("<caption>Trial balance") :]
    return table[: table.index("</table>")]


@pytest.mark.parametrize("as_of", ["", "2026-03-15", "2020-01-01"])
def test_the_trial_balance_is_that_of_the_books(console: ServedConsole, as_of: str) -> None:
    with console.client("anna", Role.FINANCE) as client:
        shown = said(client.get(PAGE, params={"as_of": as_of}))
        exported = client.get(PAGE, params={"as_of": as_of, "format": "csv"}).text
    with connect(console.dsn) as connection:
        up_to = date.fromisoformat(as_of) if as_of else None
        days = book_days(load_declarations(connection), up_to=up_to)
        accounts = trial_balance(connection, days).accounts

    rows = csv.DictReader(exported.splitlines())
    assert {(row["account"], row["currency"], row["balance"]) for row in rows} == {
        (each.account, each.currency, f"{each.balance_minor / 100:.2f}") for each in accounts
    }
    if as_of == "2020-01-01":
        assert accounts == ()
        assert "Nothing was booked by then." in shown
        return
    table = rows_of(shown)
    assert table.count("/console/integrity/account?") == len(accounts) > 5
    for each in accounts:
        sign = {"EUR": "€", "GBP": "£"}[each.currency]
        assert f"{sign}{each.debit_minor / 100:,.2f}" in table
        assert f"{sign}{abs(each.balance_minor) / 100:,.2f}" in table
    assert "Debits equal credits in every currency." in shown


def test_an_account_leads_to_its_entries(console: ServedConsole) -> None:
    with console.client("anna", Role.FINANCE) as client:
        found = said(client.get(f"{PAGE}/account", params={"account": "revenue:flat"}))
        href = re.search(r'href="(/console/journal[^"]+2026-04[^"]+)"', found)
        assert href is not None
        entries = said(client.get(href[1]))
        exported = client.get(href[1] + "&format=csv").text
        nothing = said(client.get(f"{PAGE}/account", params={"account": "<b>"}))
        everywhen = client.get("/console/journal", params={"account": "revenue:flat"})
    with connect(console.dsn) as connection:
        [(minor,)] = connection.execute(
            "SELECT sum(amount_minor) FROM posting WHERE account = 'revenue:flat'"
        ).fetchall()
        of_april = connection.execute(
            "SELECT entry_id FROM journal_entry WHERE period = '2026-04'"
            " AND legal_entity = 'harbour-charging' AND 'revenue:flat' = ANY (accounts)"
        ).fetchall()

    assert f"-€{-minor / 100:,.2f}" in found
    assert 0 < len(of_april) < 50
    told = {row["entry"] for row in csv.DictReader(exported.splitlines())}
    assert told == {entry for (entry,) in of_april}
    assert all(entry in entries for (entry,) in of_april)
    assert "Nothing stands on this account." in nothing
    assert everywhen.status_code == 400


def test_the_energy_is_that_of_the_stations(console: ServedConsole) -> None:
    with console.client("anna", Role.FINANCE) as client:
        first = said(client.get(PAGE, params={"month": "2026-03"}))
        second = said(client.get(PAGE, params={"month": "2026-03", "after": "QS-02"}))
    with connect(console.dsn) as connection:
        march = kept_balance(
            connection, first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), limit=9_999
        )

    days = sum(page.count('href="/console/energy?') for page in (first, second))
    assert days == len(march.days) == march.day_count
    assert f"{march.total.metered_wh / 1000:,} kWh were metered" in first
    assert "after=QS-02" in first


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param({"as_of": "31.3."}, "This is no day", id="a day is written in one way"),
        pytest.param({"period": "March"}, "This is no month", id="a month too"),
        pytest.param(
            {"as_of": "2026-03-31", "period": "2026-03"}, "not both", id="there is one end"
        ),
        pytest.param({"as_of": "9999-12-31"}, "Debits equal", id="the last day is one"),
        pytest.param({"period": "2026-03"}, "Debits equal", id="the books up to a month"),
        pytest.param({"month": "2999-12"}, "Nothing was metered", id="a month to come"),
    ],
)
def test_what_an_address_asks_for(
    console: ServedConsole, query: dict[str, str], words: str
) -> None:
    with console.client("anna", Role.FINANCE) as client:
        answer = client.get(PAGE, params=query)

    assert answer.status_code == 200
    assert words in said(answer)
    assert len(answer.content) < 150_000


def test_each_sees_what_is_theirs(console: ServedConsole) -> None:
    with console.client("harriet", HARBOUR_ALONE) as client:
        shown = said(client.get(PAGE))
        other = client.get(PAGE, params={"legal_entity": "quayside-energy"})
        looked = send(client, f"{PAGE}/replay", "/console/months/harbour-charging/2026-03")
    with console.client("sid", SITE_ALONE) as client:
        of_site = said(client.get(PAGE))
    with console.client("paul", Role.PRICING) as client:
        refused = client.get(PAGE)

    assert other.status_code == 404
    assert looked.status_code == 403
    assert refused.status_code == 403
    assert "£" not in rows_of(shown)
    assert "€" in rows_of(shown)
    assert "QS-01" not in shown
    assert "Replay now" not in shown
    assert "Nothing was booked by then." in of_site
    assert "HB-01" in of_site


def test_what_was_changed_behind_the_back_of_the_books_is_found(
    own_console: ServedConsole,
) -> None:
    dsn = own_console.dsn
    with own_console.client("audrey", Role.AUDITOR) as client:
        tamper(
            dsn,
            "UPDATE issued_invoice SET sha256 = repeat('0', 64) WHERE number = 'HC-2026-000030'",
        )
        tamper(dsn, "UPDATE issued_invoice SET place = 999 WHERE number = 'QE-2026-000043'")
        send(client, f"{PAGE}/books", PAGE)
        send(client, f"{PAGE}/replay", PAGE)
        wait_for_jobs(dsn)
        changed = said(client.get(PAGE))
    with own_console.client("harriet", HARBOUR_ALONE) as client:
        of_harbour = said(client.get(PAGE))

    assert "Yes: a series is not whole." in changed
    assert "missing before it: 43 to 998" in changed
    assert "what was issued is not what was hashed" in changed
    assert ": 0 differ." not in changed
    assert 'href="/console/invoices/HC-2026-000030"' in changed
    assert "No: every number has its document." in of_harbour
    assert "QE-2026" not in of_harbour


def test_the_page_is_fit_and_a_look_is_had_by_keyboard(
    own_console: ServedConsole, chromium: Browser
) -> None:
    cookie = own_console.cookie("anna", Role.FINANCE)
    with tab(chromium, own_console.url, cookie) as opened:
        opened.open(PAGE)
        opened.tab_to("form[action$='/books'] button")
        opened.page.keyboard.press("Enter")
        opened.page.get_by_text("No: every number has its document.").wait_for(timeout=200_000)
        assert "all hashes are right of 169" in opened.text("#books")
        opened.assert_is_fit("integrity")

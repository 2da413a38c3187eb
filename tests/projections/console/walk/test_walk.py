"""A newcomer's walk through the demo's month in a browser: the questions of issue 16, answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from ledger.users.roles import Role
from tests.projections.console.browser import Tab, tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.tariffs.test_peak_price_story import FIRST, peak_at
from tests.projections.console.walk.invoice_steps import (
    credit_a_line,
    export_journal,
    prove_invoice,
)

pytestmark = pytest.mark.timeout(900)
PATIENCE_MS = 240_000
INVOICE = "HC-2026-000040"
MARCH = "/console/months/quayside-energy/2026-03"


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def press(page: Page, name: str) -> None:
    """Press a button by the keyboard."""
    page.get_by_role("button", name=name, exact=True).first.focus()
    page.keyboard.press("Enter")


def find_what_was_not_billed(opened: Tab, dsn: str) -> None:
    """Which Wh of a day was not billed, and why: down to the sessions that wait, and for what."""
    with connect(dsn) as connection:
        [(station, held)] = connection.execute(
            "SELECT station_id, held_for_decision_wh FROM energy_day WHERE day = '2026-03-31'"
            " AND held_for_decision_wh > 0 ORDER BY held_for_decision_wh DESC LIMIT 1"
        ).fetchall()
        waiting = connection.execute(
            "SELECT session_id FROM session WHERE state = 'held' AND station_id = %s", (station,)
        ).fetchall()
    opened.open("/console/integrity?month=2026-03")
    opened.page.locator(f"a[href='/console/energy?station={station}&day=2026-03-31']").click()
    row = opened.page.locator(f"tr:has(a:text-is('{station}'))").first
    expect(row).to_contain_text(f"{held.scaleb(-3).normalize():f} kWh")
    row.locator("a[href*='why=held']").click()
    rows = opened.page.locator("#rows ~ .wide tbody tr")
    assert rows.count() == len(waiting) > 0
    rows.first.locator("a[href*='/console/sessions/']").first.click()
    expect(opened.page.locator("main")).to_contain_text("Why it waits")
    assert opened.page.url.split("/sessions/")[1] in {session for (session,) in waiting}


def ask_whether_a_number_is_missing(opened: Tab) -> None:
    """Is any number missing? No: and with which numbers."""
    opened.open("/console/integrity")
    press(opened.page, "Check documents and numbers now")
    expect(opened.page.locator("#books")).to_contain_text(
        "No: every number has its document.", timeout=PATIENCE_MS
    )
    assert re.search(
        r"invoices\s+2026\s+QE-2026-000001\s+43\s+43\s+43\s+0", opened.text("#books"), re.IGNORECASE
    )


def open_march_again(anna: Tab, bert: Tab) -> None:
    """The demo closed March: two people open it again."""
    for opened, button, said in (
        (anna, "Ask to open it again", "Asked for"),
        (bert, "Open again", "It is open again."),
    ):
        opened.open(MARCH)
        opened.page.get_by_label("Why").first.fill("to be shown how it closes")
        press(opened.page, button)
        expect(opened.page.locator(".said")).to_contain_text(said)


def close_march(anna: Tab, bert: Tab) -> None:
    """Close March with a second person: the first one cannot."""
    anna.open(MARCH)
    press(anna.page, "Soft-close")
    expect(anna.page.locator("main")).to_contain_text("You soft-closed it")
    assert anna.page.get_by_role("button", name="Close for good").count() == 0
    bert.open(MARCH)
    press(bert.page, "Check now")
    expect(bert.page.locator("#answer")).to_contain_text("Yes: nothing", timeout=PATIENCE_MS)
    bert.assert_is_fit("month-may-be-closed")
    press(bert.page, "Close for good")
    expect(bert.page.locator("#answer")).to_contain_text("It is closed.", timeout=PATIENCE_MS)
    bert.open(MARCH)
    assert "bert closed it" in bert.text(".moves")
    bert.assert_is_fit("month-closed")


def change_the_peak_price(mara: Tab, dsn: str) -> None:
    """Change the peak price from next month on, and see whom it costs what."""
    page = mara.page
    mara.open("/console/tariffs/time-of-use")
    mara.follow("Change it")
    text = page.input_value("#text")
    assert text.count("0.59") == 1
    page.locator("#text").fill(text.replace("0.59", "0.64"))
    mara.send("Keep as a draft")
    # Its golden examples hold the old price: it says what they come to now.
    wrong = re.findall(r"error: example .* costs (\S+) EUR in total, not (\S+) ", mara.text("main"))
    assert len(wrong) == 2
    text = page.input_value("#text")
    for now, before in wrong:
        assert text.count(f"total: {before}\n") == 1
        text = text.replace(f"total: {before}\n", f"total: {now}\n")
    page.locator("#text").fill(text)
    mara.send("Keep as a draft")
    mara.follow("What would change?")
    page.locator("form.filters button").last.click()
    expect(page.locator("#spread")).to_be_visible(timeout=PATIENCE_MS)
    with connect(dsn) as connection:
        [(dearer,)] = connection.execute(
            "SELECT count(DISTINCT session_id) FROM rated_line WHERE unit_price = 0.59"
        ).fetchall()
    assert mara.text("a.tile:has-text('Dearer') strong") == f"{dearer:,}"
    assert mara.text("a.tile:has-text('Cheaper') strong") == "0"
    assert page.locator("#losers ~ .wide tbody tr").count() > 0
    mara.open("/console/tariffs/-/change?draft=2")
    page.get_by_label("From the day on").fill("2026-05-01")
    mara.send("Propose")
    expect(page.locator(".said")).to_contain_text("once somebody else approves it")


def approve_the_peak_price(theo: Tab, dsn: str) -> None:
    """Have it approved by a second person, which publishes it from that day on."""
    assert peak_at(dsn, FIRST) == Decimal("0.59")
    theo.open("/console/tariffs/-/waiting")
    theo.follow("time-of-use")
    theo.send("Approve")
    expect(theo.page.locator(".said")).to_be_visible()
    assert peak_at(dsn, FIRST) == Decimal("0.64")
    assert peak_at(dsn, FIRST - timedelta(seconds=1)) == Decimal("0.59")


def test_a_month_is_walked_through(console: ServedConsole, chromium: Browser) -> None:
    cookies = [console.cookie(name, Role.FINANCE) for name in ("anna", "bert")]
    with (
        tab(chromium, console.url, cookies[0]) as anna,
        tab(chromium, console.url, cookies[1]) as bert,
    ):
        prove_invoice(anna, console.dsn, INVOICE)
        find_what_was_not_billed(anna, console.dsn)
        ask_whether_a_number_is_missing(anna)
        open_march_again(anna, bert)
        close_march(anna, bert)
        assert anna.troubles == bert.troubles == []
    cookies = [console.cookie(name, Role.PRICING) for name in ("mara", "theo")]
    with (
        tab(chromium, console.url, cookies[0]) as mara,
        tab(chromium, console.url, cookies[1]) as theo,
    ):
        change_the_peak_price(mara, console.dsn)
        approve_the_peak_price(theo, console.dsn)
        assert mara.troubles == theo.troubles == []
    # Last, as it goes on into the hours that follow.
    with tab(chromium, console.url, console.cookie("bert", Role.FINANCE)) as bert:
        credit_a_line(bert, console.dsn, INVOICE, console.at)
        export_journal(bert, console.dsn, "harbour-charging", "2026-03")
        assert bert.troubles == []
    with AccountingPeriods(console.dsn) as periods:
        period = periods.find("quayside-energy", "2026-03")
    assert [(each.soft_closed_by, each.by) for each in period.closes] == [
        ("mara", "jonas"),
        ("anna", "bert"),
    ]

"""A newcomer's walk through the demo's month in a browser: the questions of issue 16, answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from ledger.users.roles import Role
from tests.projections.console.browser import Tab, tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(900)
PATIENCE_MS = 240_000
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


def test_a_month_is_walked_through(console: ServedConsole, chromium: Browser) -> None:
    cookies = [console.cookie(name, Role.FINANCE) for name in ("anna", "bert")]
    with (
        tab(chromium, console.url, cookies[0]) as anna,
        tab(chromium, console.url, cookies[1]) as bert,
    ):
        find_what_was_not_billed(anna, console.dsn)
        ask_whether_a_number_is_missing(anna)
        open_march_again(anna, bert)
        close_march(anna, bert)
        assert anna.troubles == bert.troubles == []
    with AccountingPeriods(console.dsn) as periods:
        period = periods.find("quayside-energy", "2026-03")
    assert [(each.soft_closed_by, each.by) for each in period.closes] == [
        ("mara", "jonas"),
        ("anna", "bert"),
    ]

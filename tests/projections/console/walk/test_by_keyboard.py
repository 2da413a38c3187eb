"""What other tests send as forms, done by the keyboard alone: Tab, Enter and letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from ledger.database import connect
from ledger.users.roles import Role
from tests.projections.console.browser import Tab, tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
LARGE = "HC-2026-000109"
"""It asks for more than one person may give back of it alone."""


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def fill_and_send(opened: Tab, selector: str, words: str) -> None:
    """Go to a field, write into it, and send its form, as Enter does."""
    opened.tab_to(selector)
    opened.page.keyboard.type(words)
    with opened.page.expect_navigation():
        opened.page.keyboard.press("Enter")


def unfold(opened: Tab, action: str) -> None:
    """Open what a form is folded away in."""
    opened.tab_to(f"details:has(form[action$='{action}']) summary")
    opened.page.keyboard.press("Enter")


def expect_said(opened: Tab, words: str) -> None:
    expect(opened.page.locator(".said").first).to_contain_text(words)


def propose_terms(mara: Tab, theo: Tab) -> None:
    """A tariff takes another one's place, which is to end then: the one agreed, the other not."""
    mara.open("/console/tariffs/time-of-use")
    unfold(mara, "/assign")
    fill_and_send(mara, "form[action$='/assign'] [name='partner']", "NL-NRD")
    expect_said(mara, "once somebody else approves it")
    theo.open("/console/tariffs/time-of-use")
    fill_and_send(theo, "#approve-reason", "they shall pay as everybody does")
    expect_said(theo, "Approved")
    mara.open("/console/tariffs/energy-only")
    unfold(mara, "/retire")
    mara.tab_to("form[action$='/retire'] button")
    with mara.page.expect_navigation():
        mara.page.keyboard.press("Enter")
    expect_said(mara, "it ends once somebody else approves it")
    theo.open("/console/tariffs/energy-only")
    fill_and_send(theo, "#reject-reason", "another one may still want it")
    expect_said(theo, "Turned down; nothing changes.")


def choose_about_sessions(anna: Tab, dsn: str) -> None:
    """What a payer contests is noted and turned down; a release is taken back."""
    with connect(dsn) as connection:
        [(rated,)] = connection.execute(
            "SELECT session_id FROM session WHERE state = 'rated' ORDER BY session_id LIMIT 1"
        ).fetchall()
        [(held,)] = connection.execute(
            "SELECT session_id FROM session WHERE state = 'held' AND 'stop_lost' = ANY (reasons)"
            " ORDER BY session_id LIMIT 1"
        ).fetchall()
    for session, choice in (
        (rated, "dispute"),
        (rated, "reject"),
        (held, "release"),
        (held, "take_back"),
    ):
        anna.open(f"/console/decide?session={quote(session, safe='')}&choice={choice}")
        fill_and_send(anna, "#reason", f"to be shown how one says {choice}")
        assert anna.page.url.endswith(f"/console/sessions/{session}"), choice


def give_back_by_two(anna: Tab, bert: Tab) -> None:
    """So much of an invoice takes two, and the second one reads what the first proposed."""
    credit = f"/console/invoices/{LARGE}/credit"
    anna.open(f"{credit}?line=2&lines=2")
    fill_and_send(anna, "#reason", "goodwill")
    bert.open(f"/console/invoices/{LARGE}")
    bert.tab_to(f"main a[href^='{credit}?proposal=']")
    with bert.page.expect_navigation():
        bert.page.keyboard.press("Enter")
    fill_and_send(bert, "#reason", "goodwill")
    bert.page.wait_for_url("**/credit/note*")


def test_what_people_decide_is_done_without_a_mouse(
    console: ServedConsole, chromium: Browser
) -> None:
    with ExitStack() as tabs:
        mara, theo, anna, bert = (
            tabs.enter_context(tab(chromium, console.url, console.cookie(name, role)))
            for name, role in (
                ("mara", Role.PRICING),
                ("theo", Role.PRICING),
                ("anna", Role.FINANCE),
                ("bert", Role.FINANCE),
            )
        )
        propose_terms(mara, theo)
        choose_about_sessions(anna, console.dsn)
        give_back_by_two(anna, bert)
        for opened in (mara, theo, anna, bert):
            assert opened.troubles == []

"""Sessions, a frame, a day's energy and customers in a real browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ledger.database import connect
from ledger.users.roles import Role
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
AHEAD = "HB-07/100395/20260331T200634Z"
LOST = "HB-03/100334/20260331T003703Z"


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def go_to(page: Page, selector: str) -> None:
    """Tab until an element has the focus."""
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(selector)


@pytest.mark.parametrize(
    ("name", "address", "language"),
    [
        ("sessions", "/console/sessions", "de"),
        ("sessions held", "/console/sessions?state=held&reason=stop_lost", "fr"),
        ("session", f"/console/sessions/{LOST}", "en"),
        ("session rated", "RATED", "de"),
        ("decide", f"/console/decide?session={LOST}&choice=release", "fr"),
        ("frame", "/console/frames/0/5/0", "en"),
        ("energy", "/console/energy?day=2026-03-31&why=held", "de"),
        ("customers", "/console/customers", "fr"),
        ("customer", "/console/customers/sven-sander", "de"),
        ("customer as of", "/console/customers/nils-otto?as_of=2026-03-10", "en"),
    ],
)
def test_a_page_is_fit_for_everybody(
    console: ServedConsole, chromium: Browser, name: str, address: str, language: str
) -> None:
    if address == "RATED":
        with connect(console.dsn) as connection:
            query = "SELECT session_id FROM session WHERE state = 'rated' ORDER BY 1 LIMIT 1"
            address = f"/console/sessions/{connection.execute(query).fetchall()[0][0]}"
    cookie = console.cookie(f"finn {language} of sessions", Role.FINANCE, language=language)

    with tab(chromium, console.url, cookie, language) as opened:
        opened.open(address)
        weight = len(opened.page.content())
        opened.assert_is_fit(name)

    assert weight < 150_000


def test_a_held_session_is_found_and_released_by_keyboard_alone(
    demo_copy: str, demo_folder: Path, chromium: Browser
) -> None:
    with served_console(demo_copy, demo_now(demo_folder)) as console:
        cookie = console.cookie("finn of sessions", Role.FINANCE)
        with tab(chromium, console.url, cookie) as opened:
            page = opened.page
            opened.open("/console/sessions")
            go_to(page, "a.tile[href*='held']")
            page.keyboard.press("Enter")
            page.wait_for_url("**state=held")
            go_to(page, f"a[href='/console/sessions/{LOST}']")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/{LOST}")
            assert "The stop never arrived" in opened.text("main")
            go_to(page, "button[value='release']")
            page.keyboard.press("Enter")
            page.wait_for_url("**/decide?**")
            assert "€6.86" in opened.text("main table")
            go_to(page, "#reason")
            page.keyboard.type("the driver told us when")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/{LOST}")
            said = [opened.text(".said")]
            opened.assert_is_fit("session released")
            # Every other choice is made so, too: none needs a mouse.
            choose(page, "attest", ended="2026-03-31 04:00:00", register="2285.5")
            assert "What moves" in opened.text("main table")
            opened.assert_is_fit("session attested")
            said.append(confirm(page, sure=True))
            choose(page, "correct")
            said.append(confirm(page))
            choose(page, "credit")
            go_to(page, "input[name='line']")
            page.keyboard.press("Space")
            page.keyboard.press("Enter")
            page.wait_for_url("**line=1**")
            said.append(confirm(page))
            opened.open(f"/console/sessions/{AHEAD}")
            choose(page, "write_off")
            said.append(confirm(page))

        with connect(console.dsn) as connection:
            query = "SELECT state, revision FROM session WHERE session_id = ANY (%s) ORDER BY 1"
            found = connection.execute(query, ([LOST, AHEAD],)).fetchall()

    assert said == [
        "Release: done. It is Released.",
        "Say when it ended: done. It is Rated.",
        "Price again: nothing of its price is otherwise.",
        "Give back: done. It is Rated.",
        "Write off: done. It is Written off.",
    ]
    assert found == [("rated", 3), ("written_off", 1)]


def choose(page: Page, choice: str, **typed: str) -> None:
    """Go from a session to what a choice about it would come to, by keyboard."""
    go_to(page, f"button[value='{choice}']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/decide?**")
    for name, text in typed.items():
        go_to(page, f"#{name}")
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
    if typed:
        page.keyboard.press("Enter")
        page.wait_for_url("**ended=**")


def confirm(page: Page, *, sure: bool = False) -> str:
    """Say why, and that one is sure, by keyboard; return what the next page says."""
    if sure:
        go_to(page, "input[name='sure']")
        page.keyboard.press("Space")
    go_to(page, "#reason")
    page.keyboard.type("a photo shows it")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/**")
    return page.locator(".said").first.inner_text().strip()


def test_a_customers_past_is_asked_for_by_keyboard_alone(
    console: ServedConsole, chromium: Browser
) -> None:
    cookie = console.cookie("finn of sessions", Role.FINANCE)
    with tab(chromium, console.url, cookie) as opened:
        page = opened.page
        opened.open("/console/customers")
        go_to(page, "#key")
        page.keyboard.type("nils")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=nils")
        go_to(page, "a[href='/console/customers/nils-otto']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/nils-otto")
        go_to(page, "#as_of")
        page.keyboard.type("03102026")
        page.keyboard.press("Enter")
        page.wait_for_url("**as_of=2026-03-10")

        assert "All of it as it was before" in opened.text("main")
        assert opened.troubles == []

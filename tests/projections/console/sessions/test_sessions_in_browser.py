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
            said = opened.text(".said")
            opened.assert_is_fit("session released")

        with connect(console.dsn) as connection:
            query = "SELECT state FROM session WHERE session_id = %s"
            found = connection.execute(query, (LOST,)).fetchall()

    assert said == "Release: done. It is Released."
    assert found == [("released",)]


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

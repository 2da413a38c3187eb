"""What if in a browser, by the keyboard alone: a draft kept, tried out, proposed and approved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.what_if.test_what_if_pages import DEARER, MARA

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def tab_to(page: Page, selector: str) -> None:
    """Go on with the tabulator until an element has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"the keyboard does not come to {selector}")


def test_a_price_is_tried_out_and_approved_by_the_keyboard_alone(
    console: ServedConsole, chromium: Browser
) -> None:
    cookies = [console.cookie(name, MARA) for name in ("mara", "theo")]
    with tab(chromium, console.url, cookies[0]) as mara:
        mara.open("/console/what-if")
        mara.assert_is_fit("what if, nothing yet")
        tab_to(mara.page, "textarea#text")
        mara.page.keyboard.insert_text(DEARER)
        tab_to(mara.page, "main details button")
        mara.page.keyboard.press("Enter")
        expect(mara.page.locator("h1")).to_have_text("Draft 1: time-of-use")
        mara.assert_is_fit("what if, a draft")
        tab_to(mara.page, "main a.button")
        mara.page.keyboard.press("Enter")
        expect(mara.page.locator("#first_month")).to_have_value("2026-03")
        tab_to(mara.page, "form.filters button")
        mara.page.keyboard.press("Enter")
        # The page says by itself when the job is done.
        expect(mara.page.locator("#spread")).to_be_visible(timeout=120_000)
        mara.assert_is_fit("what if, an answer")
        place = mara.page.url.removeprefix(console.url)
        tab_to(mara.page, 'form[action$="/propose"] button')
        mara.page.keyboard.press("Enter")
        expect(mara.page.locator("p.said")).to_contain_text("somebody else approves it")
        tab_to(mara.page, 'a[href*="/session?id="]')
        mara.page.keyboard.press("Enter")
        expect(mara.page.locator("#new")).to_contain_text("With the draft")
        mara.assert_is_fit("what if, a session both ways")
    with tab(chromium, console.url, cookies[1]) as theo:
        theo.open(place)
        tab_to(theo.page, 'form[action$="/approve"] button')
        theo.page.keyboard.press("Enter")
        expect(theo.page.locator("#approval")).to_contain_text(
            "Proposed by mara, approved by theo."
        )
        theo.open("/console/what-if")
        theo.assert_is_fit("what if, the list")

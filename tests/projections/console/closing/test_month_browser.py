"""Months in a browser: fit for everybody, and worked with by the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ledger.users.roles import Role
from tests.projections.console.browser import Tab, tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import served_console

pytestmark = pytest.mark.timeout(600)
MARCH = "/console/months/quayside-energy/2026-03"


def test_a_month_is_opened_and_closed_by_the_keyboard_alone(
    demo_copy: str, demo_folder: Path, chromium: Browser
) -> None:
    with served_console(demo_copy, demo_now(demo_folder)) as console:
        cookies = [
            console.cookie(name, Role.FINANCE, language=language)
            for name, language in (("anna", "en"), ("bert", "de"))
        ]
        with tab(chromium, console.url, cookies[0]) as anna:
            anna.open("/console/months")
            anna.assert_is_fit("months")
            anna.tab_to(f"a[href='{MARCH}']")
            anna.page.keyboard.press("Enter")
            expect(anna.page.locator("#answer")).to_have_text("It is closed.")
            anna.assert_is_fit("month")
            sent(anna, "reopen", "an invoice is missing")
            expect(anna.page.locator("#answer")).to_contain_text("anna asks to open it again")
        with tab(chromium, console.url, cookies[1]) as bert:
            bert.open(MARCH)
            bert.tab_to("#reason")
            bert.page.keyboard.type("so it is")
            bert.tab_to("button[formaction$='/reopen']")
            bert.page.keyboard.press("Enter")
            expect(bert.page.locator(".said")).to_have_text("Er ist wieder offen.")
            sent(bert, "soft-close", "")
            expect(bert.page.locator(".said")).to_contain_text("nimmt keine Buchungen mehr an")
            bert.assert_is_fit("month-soft-closed-de")


def sent(opened: Tab, act: str, reason: str) -> None:
    """Type a reason and send a form."""
    opened.tab_to(f"form[action$='/{act}'] #reason")
    opened.page.keyboard.type(reason)
    opened.tab_to(f"form[action$='/{act}'] button")
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector(".said")

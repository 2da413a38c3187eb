"""Coming in as a person does: in a browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.users.own_account import first_link
from ledger.users.proving.second_factor import code_at, key_in
from ledger.users.store import find_user
from tests.projections.console.browser import Tab, tab
from tests.projections.console.served_console import ServedConsole, served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
PASSWORD = "four words in a row"


@pytest.fixture
def console(database: str) -> Iterator[ServedConsole]:
    with served_console(database, NOON) as served:
        yield served


def type_into(opened: Tab, **fields: str) -> None:
    """Fill a form from its first field on, and send it: by keys alone."""
    for number, (name, text) in enumerate(fields.items()):
        if number:
            opened.page.keyboard.press("Tab")
        focused = opened.page.evaluate("document.activeElement.name")
        assert focused == name, f"{focused} has the focus, not {name}"
        opened.page.keyboard.type(text)
    send(opened)


def send(opened: Tab) -> None:
    """Press Enter where the focus is, and wait for the page that comes."""
    with opened.page.expect_navigation():
        opened.page.keyboard.press("Enter")


def test_from_the_first_link_to_a_second_factor_by_keyboard(
    console: ServedConsole, chromium: Browser
) -> None:
    with connect(console.dsn) as connection:
        token = first_link(connection, NOON, by="ops")
    with tab(chromium, console.url) as opened:
        opened.open("/console/login")
        opened.assert_is_fit("login-before-the-first-account")
        opened.open(f"/console/first/{token}")
        opened.assert_is_fit("first-account")
        opened.page.locator("#name").focus()
        type_into(opened, name="chief", full_name="Chief C.", password=PASSWORD, again=PASSWORD)
        assert opened.page.url == f"{console.url}/console/fleet"
        opened.open("/console/me")
        assert opened.text("a.me") == "Chief C."
        opened.assert_is_fit("me")

        opened.page.locator("#present-factor").focus()
        type_into(opened, present=PASSWORD)
        opened.assert_is_fit("second-factor")
        key = key_in("secret=" + opened.text("figcaption code"))
        opened.page.locator("#code").focus()
        type_into(opened, code=code_at(key, NOON))
        assert opened.text(".said") == "The second factor is set; other browsers are signed out."
        opened.page.locator("header.top form[action='/console/logout'] button").focus()
        send(opened)
        assert opened.text(".said") == "You are signed out."

        opened.assert_is_fit("login")
        opened.page.locator("#name").focus()
        type_into(opened, name="chief", password=PASSWORD)
        assert opened.text("h1") == "Second factor"
        opened.assert_is_fit("code")
        opened.page.locator("#code").focus()
        # The one of this moment was taken when it was set.
        type_into(opened, code=code_at(key, NOON.replace(second=30)))
        assert opened.page.url == f"{console.url}/console/fleet"
    with connect(console.dsn) as connection:
        assert find_user(connection, "chief") is not None


@pytest.mark.parametrize("language", ["de", "fr"])
def test_who_is_refused_is_told_in_their_language(
    console: ServedConsole, chromium: Browser, language: str
) -> None:
    console.cookie("anna")
    with tab(chromium, console.url, language=language) as opened:
        opened.open("/console/login")
        type_into(opened, name="anna", password="wrong words here")
        said = opened.text(".trouble")
        assert (
            said
            == {
                "de": "Dieser Name und dieses Passwort gehören nicht zusammen.",
                "fr": "Ce nom et ce mot de passe ne vont pas ensemble.",
            }[language]
        )
        opened.troubles.clear()  # the browser's own word on the 403
        opened.assert_is_fit(f"login-refused-{language}")

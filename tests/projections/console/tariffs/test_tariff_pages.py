"""Tariffs: what holds where. What the pages show is what the books say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.master_data.tariff_versions import TariffVersion
from ledger.users.roles import Grant, Role
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def test_each_tariff_stands_with_the_version_that_the_books_hold(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
    with console.client("petra", Role.PRICING) as client:
        answer = client.get("/console/tariffs")

    assert answer.status_code == 200, answer.text
    for key in known.keys(Kind.TARIFF):
        held = known.in_force(Kind.TARIFF, key, console.at)
        assert held is not None
        assert isinstance(held.entity, TariffVersion)
        assert key in answer.text
        assert held.entity.sha256[:12] in answer.text


def test_the_pages_are_fit_in_a_browser(console: ServedConsole, chromium: Browser) -> None:
    cookie = console.cookie("petra", Grant(Role.PRICING))
    with tab(chromium, console.url, cookie) as opened:
        for path, name in (
            ("/console/tariffs", "tariffs"),
            ("/console/tariffs/time-of-use", "tariff"),
            ("/console/tariffs/-/assignments", "assignments"),
            ("/console/tariffs/-/waiting", "waiting"),
            ("/console/tariffs/-/change?id=time-of-use", "change"),
            ("/console/tariffs/-/change", "new-tariff"),
        ):
            opened.open(path)
            opened.assert_is_fit(name)

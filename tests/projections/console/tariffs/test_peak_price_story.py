"""The peak price from next month on: written, proposed by one person, approved by another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk.drafting.drafts import drafts
from ledger.desk.drafting.texts import keep_texts
from ledger.desk.publish import read_tariffs
from ledger.master_data.tariff_versions import TariffVersion
from ledger.users.roles import Grant, Role
from tests.projections.console.browser import Tab, tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.tree import EXAMPLES

pytestmark = pytest.mark.timeout(600)
BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 5, 1, tzinfo=BERLIN)
PATIENCE_MS = 60_000
FILE = (EXAMPLES / "tariffs" / "time-of-use.yaml").read_text("utf-8")
DEARER = FILE.replace("0.59 per", "0.64 per")
RIGHT = DEARER.replace("14.64", "15.83").replace("12.26", "12.85")
"""The golden examples at the new price, reckoned by hand."""


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    # As publishing does; a demo that was played long ago may lack it.
    files = [(FILE, "time-of-use.yaml")]
    with connect(demo_copy) as connection:
        at = demo_now(demo_folder)
        keep_texts(connection, files, read_tariffs(files), by="demo", at=at)
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def peak_at(dsn: str, at: datetime) -> Decimal:
    """Return the price per kWh of the element "peak" as it is declared for a moment."""
    with connect(dsn) as connection:
        held = load_declarations(connection).in_force(Kind.TARIFF, "time-of-use", at)
    assert held is not None
    assert isinstance(held.entity, TariffVersion)
    [peak] = [each for each in held.entity.tariff.elements if each.name == "peak"]
    return peak.price_components[0].price


def focus(page: Page, name: str) -> None:
    """Go by Tab to the field or button of this name, as who has no mouse does."""
    for _ in range(120):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "[document.activeElement.name, document.activeElement.innerText,"
            " document.activeElement.id]"
        )
        if name in told:
            return
    raise AssertionError(name)


def propose_as_mara(opened: Tab) -> None:
    """Write the price, keep it, propose it from the 1st on: by keyboard alone."""
    page = opened.page
    opened.open("/console/tariffs/time-of-use")
    focus(page, "Change it")
    page.keyboard.press("Enter")
    page.wait_for_selector("#text")
    focus(page, "text")
    assert page.input_value("#text") == FILE
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(DEARER.replace("0.64 per", "0.6x per"))
    page.wait_for_selector(".spots code:has-text('0.6x')", timeout=PATIENCE_MS)
    assert "draft:15:13" in opened.text(".spots")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(DEARER)
    page.wait_for_selector(".spots :text('costs 15.83 EUR in total, not 14.64 EUR')")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(RIGHT)
    # The calendar changes while one types.
    page.wait_for_selector(".prices td:text-is('0.64')", timeout=PATIENCE_MS)
    assert "Energy Mon-Fri 07:00-20:00 rises from €0.59/kWh to €0.64/kWh" in opened.text(".changes")
    focus(page, "Keep as a draft")
    page.keyboard.press("Enter")
    page.wait_for_selector("#propose-title")
    opened.assert_is_fit("draft")
    focus(page, "holds_from")
    page.keyboard.type("05012026")
    focus(page, "Propose")
    page.keyboard.press("Enter")
    page.wait_for_selector("#waiting")
    assert "Proposed: it holds once somebody else approves it." in opened.text(".said")


def test_the_peak_price_changes_from_next_month_on(
    console: ServedConsole, chromium: Browser
) -> None:
    before = peak_at(console.dsn, FIRST)
    mara = console.cookie("mara", Grant(Role.PRICING))
    with tab(chromium, console.url, mara) as opened:
        propose_as_mara(opened)
        assert "somebody else has to approve it" in opened.text("#waiting")
        assert opened.page.locator("#waiting button").count() == 1
        opened.assert_is_fit("proposed")
    assert peak_at(console.dsn, FIRST) == before == Decimal("0.59")

    theo = console.cookie("theo", Grant(Role.PRICING))
    with tab(chromium, console.url, theo) as opened:
        opened.open("/console/tariffs/-/waiting")
        focus(opened.page, "time-of-use")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector("#waiting")
        told = opened.text("#waiting")
        assert "mara proposes" in told
        assert "rises from €0.59/kWh to €0.64/kWh" in told
        assert "1 May 2026, 00:00" in told
        focus(opened.page, "Approve")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector(".said")
        assert opened.page.locator("#waiting").count() == 0
        opened.open("/console/tariffs?as_of=2026-05-01")
        row = opened.text("tr:has(a:text-is('time-of-use'))")
        assert "approved by theo" in row
        opened.assert_is_fit("approved")

    assert peak_at(console.dsn, FIRST) == Decimal("0.64")
    assert peak_at(console.dsn, FIRST - timedelta(seconds=1)) == Decimal("0.59")
    with connect(console.dsn) as connection:
        [draft] = drafts(connection)
        last = connection.execute(
            "SELECT declared_by, body FROM declaration ORDER BY version DESC LIMIT 1"
        ).fetchone()
    assert draft.by == "mara"
    assert last is not None
    assert last[0] == "mara and theo"
    assert draft.version in last[1]

"""Tariffs: what holds where. What the pages show is what the books say."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import TariffVersion
from ledger.users.roles import Grant, Role
from projections.terms.held_assignments import held_assignments
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


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/tariffs?as_of=2026-02-01", 200),
        ("/console/tariffs?as_of=never", 404),
        ("/console/tariffs?format=pdf", 404),
        ("/console/tariffs?as_of=9999-12-31", 404),
        ("/console/tariffs?q=%25&after=%00", 404),
        ("/console/tariffs/nothing", 404),
        ("/console/tariffs/-/of?id=..%2F..%2Fetc", 404),
        ("/console/tariffs/time-of-use?version=zz", 404),
        ("/console/tariffs/time-of-use?zone=Mars&ocpi=9", 200),
        ("/console/tariffs/time-of-use?as_of=2020-01-01&week=2026-10-25", 200),
        ("/console/tariffs/-/assignments?site=harbour&token=%27%20OR%201", 200),
        ("/console/tariffs/-/change?draft=99999999999999999999999", 404),
        ("/console/tariffs/-/change?draft=7", 404),
    ],
)
def test_an_odd_address_is_answered_in_its_words(
    console: ServedConsole, path: str, status: int
) -> None:
    with console.client("petra", Role.PRICING) as client:
        answer = client.get(path)

    assert answer.status_code == status, answer.text
    assert len(answer.content) < 150_000


def test_a_tariff_is_said_in_ocpi_as_partners_get_it(console: ServedConsole) -> None:
    with console.client("petra", Role.PRICING) as client:
        page = client.get("/console/tariffs/time-of-use?ocpi=2.2.1").text

    found = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert found is not None
    said = msgspec.json.decode(html.unescape(found[1]))
    assert (said["id"], said["country_code"], said["party_id"]) == ("time-of-use", "DE", "HBC")
    prices = [each["price_components"][0]["price"] for each in said["elements"]]
    assert 0.59 in prices
    assert said["last_updated"].startswith("2026-02-27T")


def test_what_is_filtered_is_exported_whole(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
    with console.client("petra", Role.PRICING) as client:
        tariffs = client.get("/console/tariffs?format=csv&q=Y")
        assigned = client.get("/console/tariffs/-/assignments?format=csv&site=harbour")
        book = client.get("/console/tariffs/-/assignments?format=xlsx")

    rows = [row["tariff"] for row in csv.DictReader(io.StringIO(tariffs.text))]
    assert rows == [key for key in known.keys(Kind.TARIFF) if "y" in key]
    assert len(rows) > 1
    [row] = csv.DictReader(io.StringIO(assigned.text))
    assert (row["site"], row["tariff"], row["declared_by"]) == ("harbour", "time-of-use", "demo")
    assert (book.status_code, book.content[:2]) == (200, b"PK")


@pytest.mark.parametrize("day", ["", "2026-03-10", "2020-01-01"])
def test_assignments_are_those_that_hold_on_the_day(console: ServedConsole, day: str) -> None:
    at = datetime.fromisoformat(f"{day}T00:00+01:00") if day else console.at
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
        held = {
            key: found.entity
            for key in known.keys(Kind.ASSIGNMENT)
            if (found := known.in_force(Kind.ASSIGNMENT, key, at)) and found.entity
        }
        of_harbour = [
            each.key for each in held_assignments(connection, at=at, sides={"site": "harbour"})
        ]
        listed, after = dict[str, Assignment](), ""
        while some := held_assignments(connection, at=at, after=after, limit=2):
            listed |= {each.key: each.assignment for each in some}
            after = some[-1].key
    with console.client("petra", Role.PRICING) as client:
        page = client.get(f"/console/tariffs/-/assignments?as_of={day}").text

    assert listed == held
    assert of_harbour == [key for key in sorted(held) if "site=harbour" in key.split(",")]
    assert page.count("<tr>") == (len(held) + 1 if held else 0)


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

"""Fleet now on the demo's month: what it shows is what the books and the declarations say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from csv import DictReader
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page

from ledger.database import connect
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from projections.console.fleet.words_of_states import STATE_WORDS, STATUS_WORDS
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import texts_of_code, texts_of_templates
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
QUAY = Grant(Role.OPERATIONS, "quayside-energy", "quayside")
BERLIN = ZoneInfo("Europe/Berlin")
TILE = re.compile(
    r'<a class="tile[^"]*" href="([^"]+)"><span class="title">([^<]+)</span> <strong>([^<]+)'
)
# What the page must say, counted another way than it does.
STATIONS = """
SELECT count(DISTINCT key) FROM declaration
WHERE kind = 'station' AND (%(site)s::text IS NULL OR body::json ->> 'site' = %(site)s)
"""
REVENUE = """
SELECT sum(-amount_minor) FROM journal_entry JOIN posting USING (entry_id)
WHERE account LIKE 'revenue:%%' AND currency = %s AND booked_at >= %s AND booked_at <= %s
"""


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def tiles(html: str) -> dict[str, tuple[str, str]]:
    """Return the figure and the address of each tile by its title."""
    return {
        title: (figure, href.replace("&amp;", "&")) for href, title, figure in TILE.findall(html)
    }


def test_each_number_is_that_of_the_books(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        [(stations,)] = connection.execute(STATIONS, {"site": None}).fetchall()
        connectors = dict(
            connection.execute("SELECT status, count(*) FROM connector_state GROUP BY 1").fetchall()
        )
        midnight = console.at.astimezone(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
        asked = ("EUR", midnight, console.at)
        [(minor,)] = connection.execute(REVENUE, asked).fetchall()
    with console.client("omar", Role.OPERATIONS) as client:
        found = tiles(client.get("/console/fleet").text)

    assert stations == 24
    assert found["Stations"] == (str(stations), "/console/fleet/stations")
    assert found["Not connected"][0] == str(stations)
    assert found["Connected"][0] == found["Faulted"][0] == found["Running sessions"][0] == "0"
    assert connectors == {"Available": int(found["Available"][0])}
    assert minor > 0
    assert found["Revenue today"] == (f"€{Decimal(minor).scaleb(-2)}", "/console/fleet/revenue")


def test_each_number_leads_to_a_list_of_so_many(console: ServedConsole) -> None:
    with console.client("omar", Role.OPERATIONS) as client:
        found = tiles(client.get("/console/fleet").text)
        for title in ("Stations", "Connected", "Not connected", "Faulted"):
            figure, address = found[title]
            html = client.get(address).text
            shown = re.search(r"(\d+) of (\d+) shown", html)
            counted = shown[2] if shown else "0"
            assert counted == figure, title
        available = client.get(found["Available"][1]).text

    assert f"{found['Available'][0]} connectors in this state" in available


@pytest.mark.parametrize("site", ["harbour", "quayside"])
def test_pages_of_stations_leave_none_out(console: ServedConsole, site: str) -> None:
    with connect(console.dsn) as connection:
        [(count,)] = connection.execute(STATIONS, {"site": site}).fetchall()
    with console.client("omar", Role.OPERATIONS) as client:
        html = client.get(f"/console/fleet/stations?site={site}").text
        ids = re.findall(r'href="/console/fleet/stations/([^"?]+)"', html)
        rest = client.get(f"/console/fleet/stations?site={site}&after={ids[2]}").text

    assert ids == sorted(ids)
    assert len(ids) == count
    assert re.findall(r'href="/console/fleet/stations/([^"?]+)"', rest) == ids[3:]


def test_a_file_has_what_is_filtered_and_no_more(console: ServedConsole) -> None:
    with console.client("omar", Role.OPERATIONS) as client:
        page = client.get("/console/fleet/stations?site=quayside").text
        csv = client.get("/console/fleet/stations?site=quayside&format=csv")
        book = client.get("/console/fleet/stations?site=quayside&format=xlsx")
    with console.client("quirin", QUAY) as client:
        cut = client.get("/console/fleet/stations?format=csv")

    assert "/console/fleet/stations?site=quayside&amp;format=csv" in page
    rows = list(DictReader(csv.text.splitlines()))
    assert [each["station"] for each in rows] == [f"QS-0{number}" for number in range(1, 7)]
    assert {each["connectors"] for each in rows} == {"1/1:Available"}
    assert cut.text == csv.text
    assert book.content.startswith(b"PK")


def test_who_sees_one_site_sees_no_other(console: ServedConsole) -> None:
    with console.client("quirin", QUAY) as client:
        now = client.get("/console/fleet").text
        own, other = (client.get(f"/console/fleet/stations/{each}") for each in ("QS-03", "HB-01"))
        nowhere = client.get("/console/fleet/stations/HB-99")
        revenue = client.get("/console/fleet/revenue").text

    assert tiles(now)["Stations"][0] == "6"
    assert tiles(now)["Revenue today"][0] == "none"
    assert "Harbour garage" not in now
    assert own.status_code == 200
    assert (other.status_code, nowhere.status_code) == (404, 404)
    assert "There is no station HB-01." in other.text
    assert "no whole legal entity is yours" in revenue


def test_nobody_without_a_role_sees_it(console: ServedConsole) -> None:
    with console.client("nina") as client:
        assert client.get("/console/fleet").status_code == 403
        assert client.get("/console/fleet/stations/HB-01").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "stations?state=%27;drop&site=%00",
        "stations?after=%F0%9F%92%A9&state=Nonsense",
        "stations/%3Cscript%3E",
        "stations/..%2f..%2fetc",
        "sessions?after=nobody&site=nowhere",
    ],
)
def test_odd_addresses_are_answered_in_peace(console: ServedConsole, path: str) -> None:
    with console.client("omar", Role.OPERATIONS) as client:
        answer = client.get(f"/console/fleet/{path}")

    assert answer.status_code in {200, 404}
    assert "<script>" not in answer.text


def test_the_days_of_the_revenue_are_those_of_the_journal(console: ServedConsole) -> None:
    since = datetime(2026, 3, 31, tzinfo=BERLIN), datetime(2026, 3, 31, 23, 59, 59, tzinfo=BERLIN)
    with connect(console.dsn) as connection:
        [(minor,)] = connection.execute(REVENUE, ("EUR", *since)).fetchall()
    with console.client("omar", Role.OPERATIONS) as client:
        html = client.get("/console/fleet/revenue").text
    with console.client("fred", Role.FINANCE) as client:
        linked = client.get("/console/fleet/revenue").text
        where = "/console/journal?legal_entity=harbour-charging&from=2026-03-31&to=2026-03-31"
        entries = client.get(where)

    assert "/console/journal" not in html, "who may not see the books is not led there"
    assert where.replace("&", "&amp;") in linked
    assert entries.status_code == 200
    rows = re.findall(
        r'<td class="">31 Mar 2026</td>\s*<td class="">harbour-charging</td>'
        r'\s*<td class="">revenue:\w+</td>\s*<td class="figure ">€([\d.,]+)',
        re.sub(r">\s+", ">", re.sub(r"\s+<", "<", html)),
    )
    assert rows
    assert sum(Decimal(each.replace(",", "")) for each in rows) == Decimal(minor).scaleb(-2)


def test_the_pages_are_fit_for_everybody(console: ServedConsole, chromium: Browser) -> None:
    cookie = console.cookie("olga", Grant(Role.OPERATIONS), language="de")
    with tab(chromium, console.url, cookie, language="de") as opened:
        for name in ("", "/stations", "/stations/HB-01", "/sessions", "/revenue"):
            opened.open(f"/console/fleet{name}")
            opened.assert_is_fit(f"fleet{name}")


def test_the_job_is_done_by_the_keyboard_alone(console: ServedConsole, chromium: Browser) -> None:
    cookie = console.cookie("omar", Grant(Role.OPERATIONS))
    with tab(chromium, console.url, cookie) as opened:
        opened.open("/console/fleet")
        tab_to(opened.page, "Not connected")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/stations?state=not_connected")
        tab_to(opened.page, "HB-02")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/stations/HB-02")

        assert opened.text("h1") == "Station HB-02"
        assert opened.troubles == []


def tab_to(page: Page, text: str) -> None:
    """Press Tab until a link or a button is in focus that says *text*."""
    for _ in range(80):
        page.keyboard.press("Tab")
        said = page.evaluate("document.activeElement.innerText")
        if text == said.partition("\n")[0].strip():
            return
    raise AssertionError(text)


def test_it_looks_again_by_itself_but_not_under_ones_hands(
    console: ServedConsole, chromium: Browser
) -> None:
    cookie = console.cookie("omar", Grant(Role.OPERATIONS))
    with tab(chromium, console.url, cookie) as opened:
        page = opened.page
        page.clock.install()
        opened.open("/console/fleet")
        with page.expect_request(lambda it: it.headers.get("hx-request") == "true") as looked:
            page.clock.run_for(10_500)
        page.locator("#now").first.wait_for()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.locator("#reload").focus()
        page.clock.run_for(31_000)

        assert looked.value.url.endswith("/console/fleet")
        assert asked == []
        assert page.evaluate("document.activeElement.id") == "reload"


def test_who_is_out_meanwhile_is_led_to_the_door(console: ServedConsole) -> None:
    with console.client("omar", Role.OPERATIONS) as client:
        client.cookies.clear()
        answer = client.get("/console/fleet", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == "/console/login?next=%2Fconsole%2Ffleet"


@pytest.mark.parametrize("tag", ["de", "fr"])
def test_each_text_of_the_fleet_is_said_in_each_language(tag: str) -> None:
    facts = {"Site", "Connection", "Connected since", "Model", "Firmware", "Booted", "Last heard"}
    said = texts_of_templates("fleet") | texts_of_code("fleet") | facts | {"Registered", "Status"}
    said |= {*STATE_WORDS.values(), *STATUS_WORDS.values()}

    assert len(said) > 60
    assert sorted(text for text in said if not words_of(tag).has(text)) == []

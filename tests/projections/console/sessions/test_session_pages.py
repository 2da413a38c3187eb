"""Sessions, frames and energy on the demo's month: what pages show is what the books say."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from io import StringIO
from pathlib import Path
from string import Formatter
from typing import Any

import httpx
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.log.envelope import Frame
from ledger.log.postgres import PostgresEventLog
from ledger.sessions.states import MEANINGS
from ledger.users.roles import Grant, Role
from projections.console.console_words import SPOKEN, words_of
from projections.console.sentences import UNTOLD, sentences
from projections.console.sessions.words_of_sessions import CHOICES, MEANT, STATES
from projections.energy.leakage import MEANINGS as LEAKS
from projections.finding.heard import heard_facts
from projections.log_reading import read_position
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import texts_of_code, texts_of_templates
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
SESSION = re.compile(r'href="/console/sessions/([^"?]+)"')
NEXT = re.compile(r'href="([^"]+)" rel="next"')
TAGS = re.compile(r"<[^>]+>")
LOST = "HB-03/100334/20260331T003703Z"


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.fixture(scope="module")
def client(console: ServedConsole) -> Iterator[httpx.Client]:
    with console.client("fiona of sessions", Role.FINANCE) as opened:
        yield opened


@pytest.fixture
def books(demo_dsn: str) -> Iterator[Connection[Any]]:
    with connect(demo_dsn) as connection:
        yield connection


def listed(client: httpx.Client, address: str) -> list[str]:
    """Return the sessions of a list, page by page."""
    found: list[str] = []
    while address:
        html = client.get(address).raise_for_status().text
        found += [unescape(each) for each in SESSION.findall(html)]
        following = NEXT.search(html)
        address = unescape(following[1]) if following else ""
    return found


def shown(client: httpx.Client, address: str) -> str:
    """Return what stands on a page, without its tags."""
    html = client.get(address).raise_for_status().text
    return " ".join(unescape(TAGS.sub(" ", html)).split())


@pytest.mark.parametrize(
    ("filters", "where"),
    [
        ("", "true"),
        ("state=held", "state = 'held'"),
        ("state=held&reason=stop_lost", "state = 'held' AND 'stop_lost' = ANY (reasons)"),
        ("station=HB-07", "station_id = 'HB-07'"),
        ("flag=duplicate_stop", "'duplicate_stop' = ANY (flags)"),
        ("site=quayside", "station_id LIKE 'QS-%'"),
        (
            "station=HB-07&day=2026-03-31",
            (
                "station_id = 'HB-07' AND started_at >= '2026-03-30T22:00Z'"
                " AND started_at < '2026-03-31T22:00Z'"
            ),
        ),
        (
            "site=quayside&month=2026-03&state=rated",
            (
                "station_id LIKE 'QS-%' AND state = 'rated' AND started_at >= '2026-03-01Z'"
                " AND started_at < '2026-03-31T23:00Z'"
            ),
        ),
    ],
)
def test_a_list_has_each_session_of_its_filters_once(
    client: httpx.Client, books: Connection[Any], filters: str, where: str
) -> None:
    query = f"SELECT session_id FROM listed_session WHERE {where}"
    expected = [session_id for (session_id,) in books.execute(query)]

    found = listed(client, f"/console/sessions?{filters}")

    assert expected
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("filters", ["", "station=HB-07&", "site=quayside&flag=duplicate_stop&"])
def test_a_file_has_exactly_what_is_filtered(client: httpx.Client, filters: str) -> None:
    seen = listed(client, f"/console/sessions?{filters}")
    answer = client.get(f"/console/sessions?{filters}format=csv").raise_for_status()
    rows = list(csv.DictReader(StringIO(answer.text)))
    workbook = client.get(f"/console/sessions?{filters}format=xlsx").raise_for_status()

    assert [row["session"] for row in rows] == seen
    assert all(row["gross"] for row in rows if row["state"] == "rated")
    assert workbook.content.startswith(b"PK")
    assert client.get(f"/console/sessions?{filters}format=pdf").status_code == 400


@pytest.mark.parametrize(
    "filters", ["state=gone", "month=2026-13", "day=31.3.2026", "after=x", "after=2026-03-01~"]
)
def test_a_filter_that_says_nothing_is_told(client: httpx.Client, filters: str) -> None:
    answer = client.get(f"/console/sessions?{filters}")

    assert answer.status_code == 400
    assert "trouble" not in answer.text or "Internal" not in answer.text


def test_a_session_shows_each_fact_with_its_frame_and_hash(
    client: httpx.Client, books: Connection[Any]
) -> None:
    facts = heard_facts(books, LOST, limit=1_000)
    log = PostgresEventLog(books.info.dsn)

    html = client.get(f"/console/sessions/{LOST}").raise_for_status().text

    assert len(facts) > 5
    for each in facts:
        partition, position, line = map(int, each.spot.split("/"))
        [logged] = read_position(log, partition, position, line)
        assert isinstance(logged.line, Frame)
        assert f'href="/console/frames/{each.spot}"' in html
        text = shown(client, f"/console/frames/{each.spot}")
        assert sha256(logged.text.encode()).hexdigest() in text
    assert "The stop never arrived: the next session began on this connector." in unescape(html)
    assert "Its stop." in unescape(html)
    log.close()


def test_facts_go_on_on_the_next_page(client: httpx.Client, books: Connection[Any]) -> None:
    query = """SELECT session_id FROM session JOIN fact USING (station_id, transaction_ref)
        WHERE state = 'rated' GROUP BY session_id ORDER BY count(*) DESC LIMIT 1"""
    [(session_id,)] = books.execute(query).fetchall()
    spots = {each.spot for each in heard_facts(books, session_id, limit=10_000)}
    address, found = f"/console/sessions/{session_id}", set[str]()
    while address:
        html = client.get(address).raise_for_status().text
        told = html[html.index('id="facts"') :]
        found |= set(re.findall(r'/console/frames/(\d+/\d+/\d+)"', told))
        following = NEXT.search(html)
        address = unescape(following[1]) if following else ""

    assert spots <= found


def test_a_price_is_that_of_the_books_line_by_line(
    client: httpx.Client, books: Connection[Any]
) -> None:
    query = """SELECT session_id, sum(net_minor + tax_minor), min(currency) FROM session
        JOIN rated_line USING (session_id, revision) WHERE state = 'rated'
        GROUP BY session_id ORDER BY session_id LIMIT 3"""
    rows = books.execute(query).fetchall()
    language = words_of("en").language

    assert len(rows) == 3
    for session_id, gross, currency in rows:
        text = shown(client, f"/console/sessions/{session_id}")
        assert f"{language.money(int(gross), currency)} with taxes" in text


def test_a_days_energy_adds_up_and_each_part_leads_to_what_it_is(
    client: httpx.Client, books: Connection[Any]
) -> None:
    query = """SELECT sum(metered_wh), sum(billed_wh), sum(free_wh), sum(held_for_decision_wh),
        sum(unattributed_wh), sum(dropped_wh) FROM energy_day WHERE day = '2026-03-31'"""
    [sums] = books.execute(query).fetchall()
    language = words_of("en").language

    text = shown(client, "/console/energy?day=2026-03-31")

    total = "In all " + " ".join(f"{language.number(each / 1000)} kWh" for each in sums)
    assert f"{total} 0 kWh" in text
    assert sums[0] == sum(sums[1:])
    held = shown(client, "/console/energy?day=2026-03-31&why=held&station=HB-03")
    assert f"{LOST} 13.493 kWh" in held
    assert "The stop never arrived: the next session began on this connector." in held


def test_who_reaches_one_site_sees_what_is_there_and_nothing_else(
    console: ServedConsole, books: Connection[Any]
) -> None:
    grant = Grant(Role.FINANCE, legal_entity="quayside-energy", site="quayside")
    [(spot,)] = books.execute(
        "SELECT partition || '/' || position || '/0' FROM fact WHERE station_id = 'HB-03' LIMIT 1"
    ).fetchall()
    with console.client("quinn of sessions", grant) as client:
        found = listed(client, "/console/sessions")
        refused = [
            client.get(each).status_code
            for each in (
                f"/console/sessions/{LOST}",
                f"/console/decide?session={LOST}&choice=release",
                f"/console/frames/{spot}",
                "/console/energy?day=2026-03-31&site=harbour",
                "/console/energy?day=2026-03-31&station=HB-03",
                "/console/sessions/none",
                "/console/frames/99/1/0",
                "/console/frames/0/999999999/0",
            )
        ]
        energy = shown(client, "/console/energy?day=2026-03-31")

    assert found
    assert {each.split("-")[0] for each in found} == {"QS"}
    assert refused == [404] * len(refused)
    assert "QS-01" in energy
    assert "HB-01" not in energy


@pytest.mark.parametrize(
    ("role", "address", "status"),
    [
        (Role.PRICING, "/console/sessions", 403),
        (Role.PRICING, "/console/energy", 403),
        (Role.OPERATIONS, "/console/frames/0/0/0", 403),
        (Role.AUDITOR, f"/console/sessions/{LOST}", 200),
        (Role.AUDITOR, f"/console/decide?session={LOST}&choice=release", 403),
    ],
)
def test_a_page_is_for_who_has_its_permission(
    console: ServedConsole, role: Role, address: str, status: int
) -> None:
    with console.client(f"{role} of sessions", role) as client:
        answer = client.get(address)

    assert answer.status_code == status
    assert "Release…" not in answer.text


def test_what_somebody_puts_into_an_address_stays_text(client: httpx.Client) -> None:
    bad = "%3Cscript%3Ealert(1)%3C/script%3E"
    for address in (
        f"/console/sessions?station={bad}",
        f"/console/energy?why={bad}",
        f"/console/sessions?id={bad}",
        f"/console/customers?q={bad}",
        "/console/sessions?station=%00",
        "/console/customers?q=%00",
    ):
        answer = client.get(address)
        assert "<script>alert" not in answer.text
        assert answer.status_code < 500


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
@pytest.mark.parametrize("room", ["sessions", "customers"])
def test_each_word_of_the_room_is_said_in_each_language(tag: str, room: str) -> None:
    words = words_of(tag)
    said = texts_of_templates(room) | texts_of_code(room) | sentences()
    said |= {*STATES.values(), *CHOICES.values(), *MEANT.values(), *LEAKS.values()}
    said |= set(MEANINGS.values())
    tables = {"said", "warn", "bad", "nobody", "held"}

    assert (
        sorted(text for text in said - tables if text[:1].isupper() and not words.has(text)) == []
    )


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
def test_a_sentence_names_the_same_in_each_language(tag: str) -> None:
    def named(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name)

    words = words_of(tag)

    wrong = [text for text in UNTOLD.values() if named(words.text(text)) != named(text)]
    assert wrong == []


def test_a_moment_of_the_page_is_the_sites(client: httpx.Client) -> None:
    html = client.get(f"/console/sessions/{LOST}").text

    assert 'title="2026-03-31T00:37:03Z">31 Mar 2026, 02:37</time>' in html


def test_a_day_at_the_end_of_the_calendar_is_no_fault_of_ours(client: httpx.Client) -> None:
    for day in ("0001-01-01", "9999-12-31"):
        answer = client.get(f"/console/energy?day={day}")
        assert answer.status_code in {200, 400}, day

    assert "no calendar reaches so far" in answer.text

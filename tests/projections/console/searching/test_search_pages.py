"""The one search field: what it leads to, what it lists, and what it never tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.log.envelope import Frame
from ledger.log.postgres import PostgresEventLog
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from projections.console.searching.routes import KIND_WORDS
from projections.finding import frames as finding_frames
from projections.log_reading import as_they_came, read_partition
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import texts_of_code, texts_of_templates
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
TOKEN = "SELECT spelt FROM subject WHERE subject = 'p-00000000000000000000000000000008'"
HASH = "SELECT left(sha256, 12) FROM issued_invoice WHERE number = 'HC-2026-000001'"
SESSION = "HB-09/100004/20260301T091301Z"
# By what is asked for: where it leads who may see it, and who may see it.
LEADS = {
    "HC-2026-000001": ("/console/invoices/HC-2026-000001", {"fred", "hanna"}),
    "hc-2026-000001": ("/console/invoices/HC-2026-000001", {"fred", "hanna"}),
    "QE-2026-000001": ("/console/invoices/QE-2026-000001", {"fred"}),
    "HC-CN-2026-000001": ("/console/invoices/HC-CN-2026-000001", {"fred", "hanna"}),
    SESSION: (f"/console/sessions/{SESSION}", {"fred", "hanna", "sina"}),
    "hb-01": ("/console/fleet/stations/HB-01", {"fred", "hanna", "sina", "petra"}),
    "QS-03": ("/console/fleet/stations/QS-03", {"fred", "petra"}),
    "femke-groot": ("/console/customers/femke-groot", {"fred", "hanna"}),
    TOKEN: ("/console/customers/wiebke-wilms", {"fred", "hanna"}),
    HASH: ("/console/invoices/HC-2026-000001", {"fred", "hanna"}),
    "SELECT min(line) FROM bank_line WHERE legal_entity = 'harbour-charging'": (
        "/console/payments/lines/",
        {"fred", "hanna"},
    ),
    "SELECT payout_id FROM payout": ("/console/payments/payouts/", {"fred", "hanna"}),
    "0/0/0": ("/console/frames/0/0/0", {"fred"}),
    "0/0": ("/console/frames/0/0/0", {"fred"}),
}
WHO = {
    "fred": Grant(Role.FINANCE),
    "hanna": Grant(Role.FINANCE, "harbour-charging"),
    "sina": Grant(Role.FINANCE, "harbour-charging", "harbour"),
    "petra": Grant(Role.PRICING),
    "nina": None,
}
NOTHING = "Nothing is named so"


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def asked(console: ServedConsole, text: str) -> str:
    """Return what is asked for: what a statement of SQL finds, or the text itself."""
    if not text.startswith("SELECT"):
        return text
    with connect(console.dsn) as connection:
        [(found,)] = connection.execute(text.encode()).fetchall()
    return str(found)


@pytest.mark.parametrize("text", sorted(LEADS))
def test_what_is_named_whole_is_opened_by_who_may_see_it(console: ServedConsole, text: str) -> None:
    where, who = LEADS[text]
    for name, grant in WHO.items():
        with console.client(name, *([grant] if grant else [])) as client:
            answer = client.get("/console/search", params={"q": asked(console, text)})
        if name in who:
            assert answer.status_code == 303, name
            led = answer.headers["location"]
            assert led == where or (where.endswith("/") and led.startswith(where)), name
        else:
            assert answer.status_code == 200, name
            assert where not in answer.text, name


@pytest.mark.parametrize(
    ("text", "found", "count"),
    [
        ("HC-2026-0000", "/console/invoices/HC-2026-", 10),
        ("hb", "/console/fleet/stations/HB-", 10),
        ("HB-09/1000", "/console/sessions/HB-09/1000", 10),
        ("femke", "/console/customers/femke-groot", 1),
        ("Groot", "/console/customers/femke-groot", 1),
    ],
)
def test_what_is_begun_is_listed_ten_of_a_kind(
    console: ServedConsole, text: str, found: str, count: int
) -> None:
    with console.client("fred", Role.FINANCE) as client:
        html = client.get("/console/search", params={"q": text}).text

    assert len(re.findall(rf'<td class="">\s*<a href="{re.escape(found)}', html)) == count


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\0", "%", "_", "'; --", "<script>alert(1)</script>", "9" * 300, "../.."),
        *("99999999999/1/1", "0/99999999999999999", "7/1/1", "\U0010ffff", "HC-2026-999999"),
        *("p-", "\N{MONEY BAG}"),
    ],
)
def test_what_nothing_is_named_by_is_said_so(console: ServedConsole, text: str) -> None:
    with console.client("fred", Role.FINANCE) as client:
        answer = client.get("/console/search", params={"q": text})

    assert answer.status_code == 200
    assert NOTHING in answer.text or "Write what you look for" in answer.text
    assert "<script>alert" not in answer.text


def test_a_frame_is_found_by_its_hashes_and_by_its_message_id(console: ServedConsole) -> None:
    with connect(console.dsn) as connection, PostgresEventLog(console.dsn) as log:
        kept = [each for each in read_partition(log, 0) if isinstance(each.line, Frame)]
        stored = [each for each in kept if isinstance(each.line, Frame) and each.line.hmac][-1]
        [came] = as_they_came(connection, [stored])
    assert isinstance(stored.line, Frame)
    assert isinstance(came.line, Frame)
    assert came.line.frame != stored.line.frame
    texts = [came.line.frame, stored.line.frame, stored.text]
    named = [sha256(each.encode()).hexdigest() for each in texts]
    named += [named[0][:12].upper(), str(stored.line.hmac), json.loads(stored.line.frame)[1]]
    where, station = f"/console/frames/{stored.at}", stored.line.station
    elsewhere = "harbour-charging" if station.startswith("QS") else "quayside-energy"
    with (
        console.client("fred", Role.FINANCE) as client,
        console.client("eve", Grant(Role.FINANCE, elsewhere)) as other,
        console.client("petra", Role.PRICING) as pricing,
    ):
        for text in named:
            answer = client.get("/console/search", params={"q": text})
            assert answer.headers.get("location", answer.text).count(where) == 1, text
            for hidden in (other, pricing):
                answer = hidden.get("/console/search", params={"q": text})
                assert where not in answer.text + answer.headers.get("location", ""), station


def test_the_search_for_a_hash_goes_on_with_older_lines_until_none_are_left(
    console: ServedConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding_frames, "LINES_LOOKED_AT", 2_000)
    with PostgresEventLog(console.dsn) as log:
        lines = [each for each in read_partition(log, 0) if isinstance(each.line, Frame)]
        partitions = log.partitions
    oldest = sha256(lines[0].text.encode()).hexdigest()
    pages, came = dict[str, int](), dict[str, str]()
    with console.client("fred", Role.FINANCE) as client:
        for text in (oldest, "0" * 64):
            address, pages[text] = f"/console/search?q={text}", 0
            while address:
                answer = client.get(address)
                pages[text] += 1
                following = re.search(r'href="([^"]+)" rel="next"', answer.text)
                assert bool(following) is ("goes on with older ones" in answer.text)
                address = unescape(following[1]) if following else ""
            came[text] = answer.headers.get("location", answer.text)
        odd = [
            client.get("/console/search", params={"q": oldest, "after": after}).status_code
            for after in ("1", "1.x", ".".join(["9" * 18] * partitions), "." * (partitions - 1))
        ]

    assert came[oldest] == f"/console/frames/{lines[0].at}"
    assert NOTHING in came["0" * 64]
    assert pages["0" * 64] >= pages[oldest] > 2
    assert odd == [400, 400, 200, 400]


def test_what_is_not_found_says_as_what_it_was_looked_for(console: ServedConsole) -> None:
    with (
        console.client("fred", Role.FINANCE) as client,
        console.client("petra", Role.PRICING) as pricing,
    ):
        all_of_it = client.get("/console/search", params={"q": "nowhere-1234"}).text
        fleet = pricing.get("/console/search", params={"q": "nowhere-1234"}).text

    for said in ("credit note by its number", "a session by", "a customer", "token", "message id"):
        assert said in all_of_it
        assert said not in fleet.partition("looked for as")[2]
    assert "a station by its id" in fleet


def test_a_name_is_told_to_nobody_who_may_not_see_the_books(console: ServedConsole) -> None:
    with console.client("petra", Role.PRICING) as client:
        html = client.get("/console/search", params={"q": "Groot"}).text
    with console.client("quinn", Grant(Role.FINANCE, "quayside-energy")) as client:
        other = client.get("/console/search", params={"q": "femke-groot"}).text

    assert NOTHING in html
    assert NOTHING in other
    assert "/console/customers/" not in html + other


def test_a_token_leads_on_and_stands_nowhere(console: ServedConsole) -> None:
    uid = asked(console, TOKEN)
    with console.client("sina", WHO["sina"] or Role.FINANCE) as client:
        html = client.get("/console/search", params={"q": uid}).text

    listed = html[html.index("<table") :]
    assert re.search(r'href="/console/sessions/HB-', listed)
    assert uid.casefold() not in listed.casefold()


def test_it_is_done_by_the_keyboard_alone_and_fit(
    console: ServedConsole, chromium: Browser
) -> None:
    cookie = console.cookie("frida", Grant(Role.FINANCE), language="de")
    with tab(chromium, console.url, cookie, language="de") as opened:
        opened.open("/console/search?q=HC-2026-0000")
        opened.assert_is_fit("search")
        opened.open("/console/search?q=nichts-davon")
        opened.assert_is_fit("search-nothing")
        opened.page.keyboard.press("/")
        opened.page.keyboard.type("hb-0")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/console/search?q=hb-0")
        assert "HB-03" in opened.text("table")
        opened.page.keyboard.press("/")
        opened.page.keyboard.type("HB-03")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/console/fleet/stations/HB-03")
        assert opened.text("h1") == "Station HB-03"


@pytest.mark.parametrize("tag", ["de", "fr"])
def test_each_text_of_the_search_is_said_in_each_language(tag: str) -> None:
    said = texts_of_templates("searching") | texts_of_code("searching") | {*KIND_WORDS.values()}

    assert len(said) > 10
    assert sorted(text for text in said if not words_of(tag).has(text)) == []

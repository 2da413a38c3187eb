"""A line given back on the demo's month: chosen, previewed, confirmed, and its note as PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from threading import Event
from typing import Any, LiteralString

import httpx
import pytest
from playwright.sync_api import Browser

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from projections.console.page import FORM_KEY
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.rendering import DocumentRenderer
from projections.replay.comparison import Comparison
from projections.replay.made_again import made_of
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
FINANCE = Grant(Role.FINANCE)
LARGE = "HC-2026-000109"
"""It asks for more than one person may give back of it alone."""
SMALL = """
SELECT number FROM issued_invoice AS invoice
WHERE credits IS NULL AND due_minor BETWEEN 500 AND 50000 AND legal_entity = 'harbour-charging'
AND NOT EXISTS (SELECT FROM issued_invoice AS note WHERE note.credits = invoice.number)
AND NOT EXISTS (SELECT FROM invoiced_session AS stands WHERE stands.number = invoice.number
    AND (stands.revision > 1 OR stands.session_id LIKE 'partner/%%'))
ORDER BY number LIMIT 1
"""
NOTES = "SELECT number, due_minor FROM issued_invoice WHERE credits = %s"


@pytest.fixture
def at(demo_folder: Path) -> datetime:
    return demo_now(demo_folder)


@pytest.fixture
def console(demo_copy: str, at: datetime) -> Iterator[ServedConsole]:
    with served_console(demo_copy, at) as served:
        yield served


def ask(dsn: str, query: LiteralString, *given: object) -> list[Any]:
    with connect(dsn) as connection:
        return connection.execute(query, given).fetchall()


def send(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    """Send a form as a page of this browser would."""
    key = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get("/console/invoices").text)
    assert key is not None
    return client.post(path, data={FORM_KEY: key[1], **fields})


def send_credit(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    """Look at a credit as a browser does, and send its form."""
    chosen: Any = {each: fields[each] for each in ("line", "session", "whole") if each in fields}
    due = re.search(r'name="due" value="([^"]+)"', client.get(path, params=chosen).text)
    assert due is not None
    return send(client, path, due=due[1], **fields)


def an_hour_later(console: ServedConsole) -> None:
    """Let the policy's wait be over: what is due is issued, and rendered."""
    with PostgresEventLog(console.dsn) as log:
        tick = encode_line(Tick(received_at=console.at + timedelta(hours=2)))
        log.append([NewRecord(each, [tick]) for each in range(log.partitions)])
        work_off(console.dsn, log)
    with closing(DocumentKeeper(console.dsn, DocumentRenderer())) as keeper:
        keeper.run_once()


def test_a_line_is_credited_by_keyboard_and_its_note_opens(
    console: ServedConsole, chromium: Browser
) -> None:
    [(number,)] = ask(console.dsn, SMALL)
    here = f"/console/invoices/{number}/credit"
    with tab(chromium, console.url, console.cookie("mara", FINANCE)) as opened:
        opened.open(here)
        opened.tab_to("input[name='line'][value='1']")
        opened.page.keyboard.press("Space")
        opened.tab_to("main form[method='get'] button")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**line=1*")
        opened.assert_is_fit("credit")
        shown = opened.text("section .facts div:nth-child(3) dd")
        opened.tab_to("#reason")
        opened.page.keyboard.type("the barrier was down")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/credit/note*")
        assert "on its way" in opened.text("h1")
        opened.assert_is_fit("credit-note-awaited")
        an_hour_later(console)

        [(note, due_minor)] = ask(console.dsn, NOTES, number)
        assert shown == words_of("en").language.money(-due_minor, "EUR")
        opened.open(f"/console/invoices/{number}")
        assert note in opened.text("main")

    with console.client("mara") as client:
        answer = client.get(f"{here}/note?after=0")
        assert answer.headers["location"] == f"/console/invoices/{note}/pdf"
        assert client.get(answer.headers["location"]).content.startswith(b"%PDF")


def test_what_is_too_much_for_one_takes_two(console: ServedConsole) -> None:
    path = f"/console/invoices/{LARGE}/credit"
    fields = {"line": ["2", "3"], "reason": "goodwill"}
    with console.client("mara", FINANCE) as client:
        assert "Propose to credit" in client.get(f"{path}?line=2&lines=3").text
        proposed = send_credit(client, path, **fields)
        assert proposed.headers["location"] == f"/console/invoices/{LARGE}"
        refused = send_credit(client, path, **fields)
        assert refused.status_code == 409
        assert "another person" in refused.text
    with console.client("theo", FINANCE) as client:
        assert "mara proposed" in client.get(f"/console/invoices/{LARGE}").text
        proposal = client.get(f"{path}?proposal=1").text
        assert re.findall(r'type="hidden" name="line" value="(\d+)"', proposal) == ["2", "3"]
        other = send_credit(client, path, line="4", reason="goodwill")
        assert other.headers["location"] == f"/console/invoices/{LARGE}"
        assert send(client, f"{path}/withdraw").status_code == 409
        assert send(client, f"{path}/withdraw", because="of line 5").status_code == 303
        assert send(client, f"{path}/withdraw", because="again").status_code == 409
        withdrawn = client.get(f"/console/invoices/{LARGE}").text.partition("were withdrawn")[2]
        for said in ("mara", "goodwill", "proposed something else instead", "theo", "of line 5"):
            assert said in withdrawn
        send_credit(client, path, line="4", reason="goodwill")
    with console.client("mara") as client:
        done = send_credit(client, path, line="4", reason="goodwill")
        assert "/credit/note" in done.headers["location"]

    an_hour_later(console)

    [(note, _)] = ask(console.dsn, NOTES, LARGE)
    with console.client("mara") as client:
        html = unescape(client.get(f"/console/invoices/{note}/lines/1").text)
    assert f"Line 4 of invoice {LARGE} is owed no more" in html
    assert "theo, mara" in html


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": "why"}, "choose at least one line"),
        ({"line": "1"}, "say why"),
        ({"line": "1", "reason": "x" * 2000}, "say why"),
        ({"line": "99999", "reason": "why"}, "has lines 1 to"),
        ({"lines": "1-9999999", "reason": "why"}, "is no line"),
        ({"lines": "3-1;DROP", "reason": "why"}, "is no line"),
        ({"session": "nobody", "reason": "why"}, "nobody"),
        ({"line": "1", "reason": "why", "due": "1"}, "has changed meanwhile"),
    ],
)  # fmt: skip
def test_what_cannot_be_credited_is_said(
    console: ServedConsole, fields: dict[str, str], said: str
) -> None:
    with console.client("mara", FINANCE) as client:
        answer = send(client, f"/console/invoices/{LARGE}/credit", **fields)

    assert answer.status_code == 409
    assert said in unescape(answer.text)
    assert ask(console.dsn, "SELECT FROM credit_proposal") == []


def test_an_auditor_looks_and_credits_nothing(console: ServedConsole) -> None:
    with console.client("ada", Role.AUDITOR) as client:
        assert "/credit" not in client.get(f"/console/invoices/{LARGE}").text
        assert client.get(f"/console/invoices/{LARGE}/credit?line=1").status_code == 403
        answer = send(client, f"/console/invoices/{LARGE}/credit", line="1", reason="why")
        assert answer.status_code == 403


def test_a_document_is_made_again_as_the_same_bytes(console: ServedConsole) -> None:
    [(sessions,)] = ask(
        console.dsn, "SELECT count(*) FROM invoiced_session WHERE number = %s", LARGE
    )
    with console.client("ada", Role.AUDITOR) as client:
        place = send(client, f"/console/invoices/{LARGE}/again").headers["location"]
        for _ in range(2400):
            html = client.get(place).text
            if 'id="again" hx-get' not in html:
                break
            Event().wait(0.1)

    assert "The same bytes came out: nothing was changed." in html
    assert f"{sessions} of {sessions} sessions" in html


def test_what_differs_is_told_to_the_byte() -> None:
    made = made_of(Comparison("invoice document", "N", "the sum is 12", "the sum is 13"))

    assert not made.is_same
    assert (made.spot, made.kept_there, made.again_there) == (12, "the sum is 12", "the sum is 13")
    assert made_of(Comparison("invoice document", "N", "same", "same")).is_same
    assert made_of(Comparison("invoice document", "N", "longer", "long")).spot == 4
    assert not made_of(Comparison("invoice document", "N", "kept", None)).is_same

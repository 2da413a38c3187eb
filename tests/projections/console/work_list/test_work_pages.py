"""The work list: what waits in the demo's month, and one of each kind that can wait."""

from __future__ import annotations

import re
from collections.abc import Iterator
from csv import DictReader
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from psycopg import Connection

from ledger.database import connect
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from projections.console.work_list.words_of_codes import CODE_WORDS
from projections.waiting.kinds import KINDS
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import texts_of_code, texts_of_templates
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.work_list.made_to_wait import MADE_TO_WAIT

pytestmark = pytest.mark.timeout(600)
HARBOUR, QUAY = "harbour-charging", "quayside-energy"
PROPOSED = """
INSERT INTO refund_proposal
SELECT number, row_number() OVER (ORDER BY number) * 7 % 30 + 1, 'mara', '2026-04-01'
FROM issued_invoice WHERE credits IS NULL
"""
COUNT = re.compile(
    r'href="/console/(?:work/|payments/unmatched\?source=)(\w+)">\s*([\d,]+\+?)\s*</a>'
)
ELSEWHERE = {"bank": "unmatched", "provider": "unexplained"}
"""Kinds that have a screen of their own, by the source of which they are listed there."""


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


def counts(html: str) -> dict[str, str]:
    return {ELSEWHERE.get(kind, kind): count for kind, count in COUNT.findall(html)}


def walked(client: httpx.Client, address: str, kind: str) -> list[str]:
    """Return what all pages of a list lead to."""
    shown = list[str]()
    while address:
        html = client.get(address).text
        shown += re.findall(rf'<td class="">\s*<a href="/console/{kind}/([^"]+)"', html)
        found = re.search(r'href="([^"]+)" rel="next"', html)
        address = found[1].replace("&amp;", "&") if found else ""
    return shown


def one(connection: Connection[Any], query: str) -> str:
    [(found,)] = connection.execute(query.encode()).fetchall()
    return str(found)


def test_what_waits_in_the_demos_month_is_what_the_books_hold(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        held = one(connection, "SELECT count(*) FROM session WHERE state = 'held'")
        by_reason = dict(
            connection.execute(
                "SELECT reason, count(*) FROM session, unnest(reasons) AS reason"
                " WHERE state = 'held' GROUP BY 1"
            ).fetchall()
        )
    with console.client("fred", Role.FINANCE) as client:
        html = client.get("/console/work").text
        listed = client.get("/console/work/held").text
        lost = client.get("/console/work/held?reason=stop_lost").text

    assert {kind: count for kind, count in counts(html).items() if count != "0"} == {
        "held": held,
        "gaps": "1",
    }
    reasons = re.findall(r'href="/console/work/held\?reason=(\w+)">\s*([\d,]+)\s*</a>', html)
    assert {reason: int(count) for reason, count in reasons} == by_reason
    assert len(re.findall(r'href="/console/sessions/', listed)) == int(held)
    assert len(re.findall(r'href="/console/sessions/', lost)) == by_reason["stop_lost"]
    assert "The stop never arrived" in lost


def test_one_of_each_kind_is_counted_listed_and_hidden_from_who_may_not_see_it(
    demo_copy: str, demo_folder: Path
) -> None:
    with connect(demo_copy) as connection:
        expected = {}
        for kind, (made, named) in MADE_TO_WAIT.items():
            before = one(connection, named) if kind in {"gaps", "late", "contested"} else ""
            connection.execute(made.encode())
            expected[kind] = before or one(connection, named)
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        with served.client("fred", Grant(Role.FINANCE, HARBOUR)) as client:
            whole = counts(client.get("/console/work").text)
            lists = {kind: client.get(f"/console/work/{kind}").text for kind in MADE_TO_WAIT}
            files = {
                kind: client.get(f"/console/work/{kind}?format=csv").text for kind in MADE_TO_WAIT
            }
        with served.client("quinn", Grant(Role.FINANCE, QUAY)) as client:
            cut = counts(client.get("/console/work").text)
            others = {kind: client.get(f"/console/work/{kind}").text for kind in MADE_TO_WAIT}

    assert set(MADE_TO_WAIT) | {"held"} == set(KINDS)
    for kind, key in expected.items():
        assert whole[kind] == ("2" if kind == "gaps" else "1"), kind
        assert key in lists[kind], kind
        rows = list(DictReader(files[kind].splitlines()))
        assert key in {each["what"] for each in rows}, kind
        assert len(rows) == int(whole[kind]), kind
        assert key not in others[kind], kind
    assert set(cut.values()) == {"0"}
    assert "17 Mar 2026" not in lists["set_aside"], "when it came, the log says"
    assert "not known" not in lists["set_aside"]
    assert "&lt;b&gt;odd" in lists["set_aside"]
    assert "&lt;i&gt;address" in lists["refused"]
    assert "€12.34" in lists["overdue"]
    assert ",12.34,EUR," in files["overdue"]
    assert ",2026-03-" in files["set_aside"]
    assert "femke-groot" in lists["refused"]
    assert "p-0000" not in lists["refused"]


def test_pages_of_a_kind_leave_none_out_and_counts_are_bounded(
    demo_copy: str, demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.waiting.counts.COUNTED_MAX", 100)
    with connect(demo_copy) as connection:
        connection.execute("UPDATE session SET state = 'held', started_at = '2026-03-05 10:00Z'")
        # Half of them at one moment: then the id says which is next.
        connection.execute("UPDATE session SET started_at = NULL WHERE station_id < 'HB-06'")
        everything = {each for (each,) in connection.execute("SELECT session_id FROM session")}
        connection.execute(PROPOSED)
        query = "SELECT invoice FROM refund_proposal ORDER BY amount_minor, invoice"
        by_amount = [each for (each,) in connection.execute(query)]
    with (
        served_console(demo_copy, demo_now(demo_folder)) as served,
        served.client("fred", Role.FINANCE) as client,
    ):
        shown = walked(client, "/console/work/held", "sessions")
        down = walked(client, "/console/work/held?sort=-since", "sessions")
        cheapest = walked(client, "/console/work/second?sort=amount", "invoices")
        dearest = walked(client, "/console/work/second?sort=-amount", "invoices")
        bounded = counts(client.get("/console/work").text)

    assert len(shown) == len(everything)
    assert set(shown) == everything
    assert down == shown[::-1]
    assert cheapest == by_amount
    assert dearest == by_amount[::-1]
    assert bounded["held"] == "100+"


@pytest.mark.parametrize("after", ["x", "2026-03-05 y", "9/9", "0001-01-01T00:00:00+00:00 k", "+1"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_odd_pages_begin_anew_or_end(console: ServedConsole, kind: str, after: str) -> None:
    with console.client("fred", Role.FINANCE) as client:
        answer = client.get(f"/console/work/{kind}", params={"after": after, "reason": "%"})

    assert answer.status_code == 200


def test_who_may_not_see_the_books_sees_no_work(console: ServedConsole) -> None:
    with console.client("petra", Role.PRICING) as client:
        assert client.get("/console/work").status_code == 403
        assert client.get("/console/work/held").status_code == 403
    with console.client("fred", Role.FINANCE) as client:
        assert client.get("/console/work/nothing").status_code == 404


def test_the_work_list_is_fit_and_worked_by_the_keyboard(
    console: ServedConsole, chromium: Browser
) -> None:
    cookie = console.cookie("fritz", Grant(Role.FINANCE), language="fr")
    with tab(chromium, console.url, cookie, language="fr") as opened:
        for name in ("", "/held", "/overdue"):
            opened.open(f"/console/work{name}")
            opened.assert_is_fit(f"work{name}")
        opened.open("/console/work")
        for _ in range(40):
            opened.page.keyboard.press("Tab")
            if opened.page.evaluate("document.activeElement.innerText") == "Sessions retenues":
                break
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/console/work/held")
        assert opened.text("h1") == "Sessions retenues"


@pytest.mark.parametrize("tag", ["de", "fr"])
def test_each_text_of_the_work_list_is_said_in_each_language(tag: str) -> None:
    said = texts_of_templates("work_list") | texts_of_code("work_list") | {*CODE_WORDS.values()}
    said |= {text for kind in KINDS.values() for text in (kind.title, kind.advice)}

    assert len(said) > 60
    assert sorted(text for text in said if not words_of(tag).has(text)) == []

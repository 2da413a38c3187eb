"""Deciding about sessions on copies of the demo's month: preview, second person, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from ledger.books.decisions_store import rated_sessions
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import SessionRevision
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from tariffs.model.tariff import PriceLimit
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
LOST = "HB-03/100334/20260331T003703Z"
AHEAD = "HB-07/100395/20260331T200634Z"
PART_OF_MUCH = """
SELECT session_id, sum(line.net_minor + line.tax_minor), due_minor
FROM invoiced_session AS stands JOIN issued_invoice AS invoice USING (number)
JOIN session USING (session_id) JOIN rated_line AS line USING (session_id)
WHERE due_minor > 100000 AND stands.revision = 1 AND session.revision = 1
AND line.revision = 1 AND state IN ('rated', 'released')
GROUP BY session_id, due_minor ORDER BY session_id LIMIT 1
"""
WITHDRAWN = """
SELECT choice, proposed_by, withdrawn_by, withdrawn_because, withdrawn_at FROM withdrawn_proposal
ORDER BY number
"""
SINCE = datetime(2026, 3, 31, tzinfo=UTC)
KEY = re.compile(r'name="form_key" value="([^"]+)"')
MOVED = re.compile(r'name="moves" value="([^"]+)"')
MOVES = re.compile(r"What moves</th><td class=\"figure\">([^<]*)<")


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def decide(
    client: httpx.Client, session: str, choice: str, reason: str = "looked at it", **more: str
) -> httpx.Response:
    """Look at a choice as a browser does, and send its form; *more* of its fields otherwise."""
    lines = {"line": more["line"]} if "line" in more else {}
    looked = client.get("/console/decide", params={"session": session, "choice": choice, **lines})
    html = looked.raise_for_status().text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
    form = {**fields, "reason": reason, **more}
    return client.post("/console/decide", data=form, follow_redirects=True)


def state(console: ServedConsole, session: str) -> tuple[str, int]:
    """Return a session's state and revision."""
    with connect(console.dsn) as connection:
        query = "SELECT state, revision FROM session WHERE session_id = %s"
        [(found, revision)] = connection.execute(query, (session,)).fetchall()
    return found, revision


def limit_to(console: ServedConsole, amount: Decimal) -> None:
    """Declare above which amount a choice takes two persons."""
    with connect(console.dsn) as connection:
        policy = load_declarations(connection).policy(console.at)
        stricter = replace(policy, payment_approval_above=amount)
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=stricter)
        declare(connection, [change], by="a test", at=console.at)


def test_a_release_comes_to_what_its_preview_said(console: ServedConsole) -> None:
    language = words_of("en").language
    with console.client("fiona", Role.FINANCE) as client:
        looked = client.get(f"/console/decide?session={LOST}&choice=release").text
        done = decide(client, LOST, "release", "the driver told us when")

    assert done.status_code == 200
    assert "Release: done. It is Released." in done.text
    assert state(console, LOST) == ("released", 1)
    with connect(console.dsn) as connection:
        [rated] = rated_sessions(connection, [SessionRevision(LOST, 1)])
    moved = MOVES.search(looked)
    assert moved is not None
    assert unescape(moved[1]) == language.money(rated.gross_minor, rated.currency)
    assert rated.release is not None
    assert (rated.release.by, rated.release.reason) == ("fiona", "the driver told us when")
    assert "the driver told us when" in unescape(done.text)


def test_what_was_written_off_is_taken_back_and_then_given_back(console: ServedConsole) -> None:
    with console.client("fiona", Role.FINANCE) as client:
        decide(client, AHEAD, "write_off")
        assert state(console, AHEAD) == ("written_off", 1)
        decide(client, AHEAD, "take_back")
        assert state(console, AHEAD) == ("rated", 2)
        disputed = decide(client, AHEAD, "dispute")
        assert "Its payer contests what was billed" in unescape(disputed.text)
        upheld = decide(client, AHEAD, "uphold")
        again = decide(client, AHEAD, "credit")

    assert state(console, AHEAD) == ("rated", 3)
    assert "Uphold the dispute: done." in upheld.text
    assert "Give back: nothing of its price is otherwise." in again.text
    with connect(console.dsn) as connection:
        [rated] = rated_sessions(connection, [SessionRevision(AHEAD, 3)])
    assert rated.gross_minor == 0


def test_a_release_that_is_taken_back_is_billed_no_more_and_its_page_says_so(
    console: ServedConsole,
) -> None:
    with console.client("fiona", Role.FINANCE) as client:
        decide(client, LOST, "release")
        back = decide(client, LOST, "take_back", "it was another driver")

    assert state(console, LOST) == ("rated", 2)
    assert "nothing of it is billed, until its doubts are settled" in back.text
    assert "still waits" not in back.text
    with connect(console.dsn) as connection:
        [rated] = rated_sessions(connection, [SessionRevision(LOST, 2)])
    assert rated.gross_minor == 0


def test_one_line_of_a_price_is_given_back(console: ServedConsole) -> None:
    with console.client("fiona", Role.FINANCE) as client:
        decide(client, LOST, "release")
        address = f"/console/decide?session={LOST}&choice=credit&line=1"
        looked = client.get(address).raise_for_status().text
        form = {
            "form_key": KEY.findall(looked)[0],
            "session": LOST,
            "choice": "credit",
            "revision": "1",
            "line": "1",
            "moves": MOVED.findall(looked)[0],
            "reason": "goodwill",
        }
        assert client.post("/console/decide", data=form).status_code == 303

    with connect(console.dsn) as connection:
        was, now = rated_sessions(connection, [SessionRevision(LOST, 1), SessionRevision(LOST, 2)])
    assert now.lines[0].net_minor == 0
    assert now.gross_minor == was.gross_minor - was.lines[0].net_minor - was.lines[0].tax_minor


def test_what_moves_much_takes_a_second_person(console: ServedConsole) -> None:
    limit_to(console, Decimal(5))
    with (
        console.client("fiona", Role.FINANCE) as first,
        console.client("sam", Role.FINANCE) as second,
        console.client("andy", Role.AUDITOR) as auditor,
    ):
        proposed = decide(first, LOST, "release", "the driver told us when")
        own = decide(first, LOST, "release")
        seen = auditor.get(f"/console/sessions/{LOST}").text
        listed = auditor.get("/console/sessions").text
        waits = state(console, LOST)
        form = dict(
            re.findall(
                r'type="hidden" name="(\w+)" value="([^"]*)"',
                second.get(f"/console/sessions/{LOST}").text.partition("waits")[2],
            )
        )
        agreed = second.post("/console/decide", data=form, follow_redirects=True)

    assert "Release: it waits for a second person." in proposed.text
    assert own.status_code == 409
    assert "another person says the same" in own.text
    assert waits == ("held", 1)
    assert "fiona proposed: Release" in seen
    assert "What waits for a second person" in listed
    assert "Agree" not in seen
    assert "Release: done." in agreed.text
    with connect(console.dsn) as connection:
        [rated] = rated_sessions(connection, [SessionRevision(LOST, 1)])
        left = connection.execute("SELECT count(*) FROM choice_proposal").fetchall()
    assert rated.release is not None
    assert (rated.release.by, rated.release.reason) == ("fiona, sam", "the driver told us when")
    assert left == [(0,)]


def test_who_gives_back_part_by_part_is_no_second_person(console: ServedConsole) -> None:
    with (
        console.client("fiona", Role.FINANCE) as first,
        console.client("sam", Role.FINANCE) as second,
    ):
        decide(first, LOST, "release")
        # The whole is 6.86, its first line 0.60.
        limit_to(console, Decimal(5))
        proposed = decide(first, LOST, "credit", line="1")
        again = decide(first, LOST, "credit", line="1")
        assert state(console, LOST) == ("released", 1)
        agreed = decide(second, LOST, "credit", line="1")

    assert "Give back: it waits for a second person." in proposed.text
    assert again.status_code == 409
    assert "Give back: done." in agreed.text
    assert state(console, LOST)[1] == 2


def test_who_gives_an_invoice_back_session_by_session_is_no_second_person(
    console: ServedConsole,
) -> None:
    with connect(console.dsn) as connection:
        [(session, gross, due)] = connection.execute(PART_OF_MUCH).fetchall()
    assert 0 < gross < 100_000 < due
    with console.client("fiona", Role.FINANCE) as client:
        done = decide(client, session, "credit")

    assert "Give back: it waits for a second person." in done.text
    assert state(console, session)[1] == 1


def cheapen(console: ServedConsole) -> None:
    """Let no session that began since the 31st cost more than 1.00 before taxes, as of then."""
    most = PriceLimit(before_taxes=Decimal(1))
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
        versions = {key: known.tariff(key, SINCE) for key in known.keys(Kind.TARIFF)}
        changes = [
            Change(
                kind=Kind.TARIFF,
                key=key,
                entity=published(replace(version.tariff, max_price=most)),
                valid_from=SINCE,
            )
            for key, version in versions.items()
            if version is not None
        ]
        declare(connection, changes, by="a test", at=console.at)


def test_nothing_is_decided_that_comes_to_another_amount_than_was_looked_at(
    console: ServedConsole,
) -> None:
    with console.client("fiona", Role.FINANCE) as client:
        html = client.get(f"/console/decide?session={LOST}&choice=release").text
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
        cheapen(console)
        late = client.post("/console/decide", data={**form, "reason": "looked at it"})
        waits = state(console, LOST)
        again = decide(client, LOST, "release")

    assert late.status_code == 400
    assert "has changed meanwhile" in late.text
    assert form["moves"] not in late.text
    assert waits == ("held", 1)
    assert "Release: done." in again.text


def test_who_agrees_agrees_to_the_amount_that_was_proposed(console: ServedConsole) -> None:
    limit_to(console, Decimal(0))
    with (
        console.client("fiona", Role.FINANCE) as first,
        console.client("sam", Role.FINANCE) as second,
    ):
        decide(first, LOST, "release")
        seen = second.get(f"/console/sessions/{LOST}").text.partition("waits")[2]
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', seen))
        cheapen(console)
        agreed = second.post("/console/decide", data=form)
        looked_again = decide(second, LOST, "release")
        waits = state(console, LOST)
        done = decide(first, LOST, "release")

    assert "has changed meanwhile" in agreed.text
    assert "it waits for a second person" in looked_again.text
    assert waits == ("held", 1)
    assert "Release: done." in done.text


def test_a_proposal_is_withdrawn_and_another_choice_is_another_proposal(
    console: ServedConsole,
) -> None:
    limit_to(console, Decimal(0))
    with (
        console.client("fiona", Role.FINANCE) as first,
        console.client("sam", Role.FINANCE) as second,
    ):
        decide(first, LOST, "release")
        other = decide(second, LOST, "write_off")
        assert state(console, LOST) == ("held", 1)
        key = KEY.findall(other.text)[0]
        form = {"form_key": key, "session": LOST}
        silent = second.post("/console/decide/withdraw", data=form)
        form["because"] = "it was <b>another</b> station"
        gone = second.post("/console/decide/withdraw", data=form, follow_redirects=True)
        none = second.post("/console/decide/withdraw", data=form)

    assert "sam proposed: Write off" in other.text
    assert "It waits for nobody any more." in gone.text
    assert (silent.status_code, none.status_code) == (400, 409)
    with connect(console.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM choice_proposal").fetchall() == [(0,)]
        kept = connection.execute(WITHDRAWN).fetchall()
    assert kept == [
        ("release", "fiona", "sam", "", console.at),
        ("write_off", "sam", "sam", "it was <b>another</b> station", console.at),
    ]
    shown = gone.text.partition("Proposals that were withdrawn")[2]
    assert "it was &lt;b&gt;another&lt;/b&gt; station" in shown
    assert "proposed something else instead" in shown
    assert shown.index("Write off") < shown.index("Release")


def test_what_cannot_be_decided_is_refused_and_changes_nothing(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        query = "SELECT session_id FROM session WHERE state = 'rated' ORDER BY 1 LIMIT 1"
        [(rated,)] = connection.execute(query).fetchall()
        before = connection.execute("SELECT count(*) FROM session_decision").fetchall()
    site = Grant(Role.FINANCE, legal_entity="quayside-energy", site="quayside")
    with (
        console.client("fiona", Role.FINANCE) as client,
        console.client("quinn", Grant(Role.AUDITOR), site) as narrow,
    ):
        empty = decide(client, LOST, "release", "")
        long = decide(client, LOST, "release", "x" * 501)
        stale = decide(client, LOST, "release", revision="7")
        key = KEY.findall(empty.text)[0]

        def post(**fields: str) -> int:
            form = {"form_key": key, "reason": "why", "revision": "1", **fields}
            return client.post("/console/decide", data=form).status_code

        codes = [
            post(session=LOST, choice="correct"),
            post(session=LOST, choice="nothing"),
            post(session="none", choice="release"),
            post(session=rated, choice="release"),
            post(session=rated, choice="credit", line="99"),
            post(session=rated, choice="credit", line="-1"),
            post(session=LOST, choice="release", form_key="other"),
            narrow.get(f"/console/decide?session={LOST}&choice=release").status_code,
        ]
        page = narrow.get(f"/console/sessions/{LOST}")
        code = client.post(
            "/console/decide/code", data={"form_key": key, "session": LOST, "code": "NONE"}
        )

    assert [each.status_code for each in (empty, long, stale)] == [400, 400, 400]
    assert "decided otherwise meanwhile" in stale.text
    assert codes == [400, 404, 404, 400, 400, 400, 403, 404]
    assert page.status_code == 200
    assert "Decide it" not in page.text
    assert code.status_code == 409
    assert state(console, LOST) == ("held", 1)
    with connect(console.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM session_decision").fetchall() == before

"""Saying when a session ended, on copies of the demo's month: preview, second person, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path

import httpx
import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.database import connect
from ledger.rating.decisions import SessionRevision
from ledger.users.roles import Role
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.sessions.test_deciding_pages import LOST, MOVES, limit_to, state

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def attest(
    client: httpx.Client, ended: str, register: str, reason: str = "a photo", **more: str
) -> httpx.Response:
    """Look at what a stop would come to, as a browser does, and send its form."""
    asked = {"session": LOST, "choice": "attest", "ended": ended, "register": register}
    looked = client.get("/console/decide", params=asked)
    html = looked.text.partition('method="post"')[2]
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
    if "moves" not in fields:
        return looked
    form = {**fields, "reason": reason, **more}
    return client.post("/console/decide", data=form, follow_redirects=True)


def register_now(console: ServedConsole) -> Decimal:
    """Return the last register of the session whose stop never came, in kWh."""
    with connect(console.dsn) as connection:
        query = "SELECT register_wh FROM session WHERE session_id = %s"
        [(wh,)] = connection.execute(query, (LOST,)).fetchall()
    return Decimal(wh) / 1000


def test_a_person_says_when_a_session_ended_and_another_one_agrees(console: ServedConsole) -> None:
    limit_to(console, Decimal(5))
    register = register_now(console)
    with (
        console.client("mara", Role.FINANCE) as first,
        console.client("theo", Role.FINANCE) as second,
    ):
        seen = first.get(f"/console/decide?session={LOST}&choice=attest").text
        proposed = attest(first, "2026-03-31 04:28:00", f"{register}", "5.2 on a photo")
        own = attest(first, "2026-03-31 04:28:00", f"{register}")
        shown = second.get(f"/console/sessions/{LOST}").text.partition("waits")[2]
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown))
        agreed = second.post("/console/decide", data=form, follow_redirects=True)
        page = second.get(f"/console/sessions/{LOST}").text

    assert "When did it end?" in seen
    assert 'method="post"' in seen
    assert MOVES.search(seen) is None
    assert "it waits for a second person" in proposed.text
    assert own.status_code == 409
    assert f"with a register of {register:,} kWh" in unescape(shown)
    assert "Say when it ended: done." in agreed.text
    with connect(console.dsn) as connection:
        [rated] = rated_sessions(connection, [SessionRevision(LOST, 1)])
        left = connection.execute("SELECT count(*) FROM choice_proposal").fetchall()
    assert rated.release is not None
    assert (rated.release.by, rated.release.reason) == ("mara, theo", "5.2 on a photo")
    assert rated.ended_at == datetime(2026, 3, 31, 2, 28, tzinfo=UTC)
    assert rated.meter_stop_wh == register * 1000
    assert left == [(0,)]
    assert "stop, as a person says" in page
    assert "A person, not the station, said when it ended" in page


SAID = {
    "no time": ("at noon", "", "A time is meant"),
    "a time that no calendar has": ("9999-12-31 23:59:59-23:59", "", "A time is meant"),
    "an hour that comes never": ("2026-03-29 02:30:00", "", "comes twice, or never"),
    "no register": ("2026-03-31 03:40:00", "5,2", "A register is meant"),
    "before it began": ("2026-03-31 02:00:00", "", "it had not begun"),
    "in the future": ("2027-03-31 02:00:00", "", "that is in the future"),
    "a register below its start": ("2026-03-31 03:40:00", "0.1", "contradicts it"),
    "with a script": ("<script>", "<b>", "A time is meant"),
}


def test_what_cannot_be_is_refused_in_words_and_what_is_doubtful_is_asked_twice(
    console: ServedConsole,
) -> None:
    below = register_now(console) - 2
    with console.client("mara", Role.FINANCE) as client:
        taken = ("2026-03-31 04:28:00", f"{below + 900}", "the next session there had begun")
        for name, (ended, register, said) in {**SAID, "of the next": taken}.items():
            answer = attest(client, ended, register)
            assert said in unescape(answer.text), name
            assert "<script>" not in answer.text, name
        doubtful = attest(client, "2026-03-31 04:28:00", f"{below}")
        waits = state(console, LOST)
        sure = attest(client, "2026-03-31 04:28:00", f"{below}", sure="yes")

    assert doubtful.status_code == 400
    assert "Say that you are sure" in doubtful.text
    assert "Readings before the stop are above it." in doubtful.text
    assert waits == ("held", 1)
    assert "Say when it ended: done." in sure.text or "second person" in sure.text


def test_who_says_otherwise_bit_by_bit_when_it_ended_is_no_second_person(
    console: ServedConsole,
) -> None:
    register = register_now(console)
    with (
        console.client("mara", Role.FINANCE) as first,
        console.client("theo", Role.FINANCE) as second,
    ):
        attest(first, "2026-03-31 04:28:00", f"{register}")
        assert state(console, LOST) == ("released", 1)
        # The whole is 6.86 or so, and what each time moves less than 1.00.
        limit_to(console, Decimal(5))
        less = ("2026-03-31 04:28:00", f"{register - 1}")
        proposed = attest(first, *less, sure="yes")
        waits = state(console, LOST)
        agreed = attest(second, *less, sure="yes")

    assert "it waits for a second person" in proposed.text
    assert waits == ("released", 1)
    assert "Say when it ended: done." in agreed.text
    assert state(console, LOST)[1] == 2

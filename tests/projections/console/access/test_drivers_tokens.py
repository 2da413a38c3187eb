"""The pages of drivers' tokens: who may charge, where and when; a block holds within a second."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from ingest.declared_directory import FRESH_SECONDS, DeclaredDirectory
from ingest.directory import AuthorizationStatus
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.tokens import Token, TokenStatus
from ledger.persons.holders import customer_holder, token_holder
from ledger.persons.store import find
from ledger.users.roles import Grant, Role
from projections.console.access.typed_hours import UnreadableHoursError, read_hours, written_hours
from tariffs.model.tariff import Weekday
from tests.projections.console.access.somebody_in import declare_sites, send
from tests.projections.console.served_console import ServedConsole, StandingClock, served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
REFUSED = AuthorizationStatus.BLOCKED
OMAR = ("omar", Role.OPERATIONS)
PETE = ("pete", Grant(Role.OPERATIONS, "watt"))


@pytest.fixture
def console(database: str, tmp_path: Path) -> Iterator[ServedConsole]:
    with served_console(database, NOON) as served:
        declare_sites(served, tmp_path / "data")
        yield served


@pytest.fixture
def connection(console: ServedConsole) -> Iterator[Connection[Any]]:
    with connect(console.dsn) as opened:
        yield opened


def subject_of(connection: Connection[Any], uid: str) -> str:
    holder = token_holder(uid)
    assert holder is not None
    [subject] = find(connection, [holder]).values()
    return subject.id


def token_of(connection: Connection[Any], uid: str) -> Token | None:
    return load_declarations(connection).token(subject_of(connection, uid), NOON)


def test_a_block_holds_within_a_second(console: ServedConsole, connection: Connection[Any]) -> None:
    subject = subject_of(connection, "04A1")
    assert FRESH_SECONDS < 1

    async def blocked_by() -> tuple[bool, bool]:
        """Ask as a process does that serves stations, before and after."""
        directory = DeclaredDirectory(console.dsn, StandingClock(NOON))
        before = await directory.token(subject)

        def block() -> int:
            with console.client(*OMAR) as client:
                return send(
                    client, "/access/drivers/let", uid="04A1", standing="blocked"
                ).status_code

        assert await asyncio.to_thread(block) == 303
        await asyncio.sleep(FRESH_SECONDS)
        after = await directory.token(subject)
        await directory.close()
        assert before is not None
        assert after is not None
        return before.status is REFUSED, after.status is REFUSED

    assert asyncio.run(blocked_by()) == (False, True)
    said = "SELECT declared_by FROM declaration WHERE key = %s ORDER BY version"
    assert connection.execute(said, (subject,)).fetchall() == [("a test",), ("omar",)]


def test_a_token_is_found_as_stations_write_it(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with console.client(*OMAR) as client:
        found = client.get("/console/access/drivers", params={"uid": "04a1"})
        assert (
            found.headers["location"] == f"/console/access/drivers/{subject_of(connection, '04A1')}"
        )
        shown = client.get(found.headers["location"]).text
        assert "<h1>04A1</h1>" in shown
        assert ">ada<" in shown
        unknown = client.get("/console/access/drivers", params={"uid": '04"><b>'}).text
        assert "Nobody knows this token" in unknown
        assert 'value="04&#34;&gt;&lt;b&gt;"' in unknown
        let = send(client, "/access/drivers/let", uid="04NEW", standing="accepted", group="04A1")
        assert let.status_code == 303
        assert "04NEW" in client.get("/console/access/drivers").text
    found_token = token_of(connection, "04NEW")
    assert found_token is not None
    assert found_token.parent == subject_of(connection, "04A1")


def test_nobody_is_shown_but_tokens(console: ServedConsole, connection: Connection[Any]) -> None:
    [ada] = find(connection, [customer_holder("ada")]).values()
    with console.client(*OMAR) as client:
        for subject in (ada.id, "p-" + "0" * 32, "%00", "x" * 300):
            assert client.get(f"/console/access/drivers/{subject}").status_code == 404, subject
        for uid, standing in (("04A1", "king"), ("04A1", "")):
            answer = send(client, "/access/drivers/let", uid=uid, standing=standing)
            assert answer.status_code == 404
        for uid in ("", " ", "\x00"):
            answer = send(client, "/access/drivers/let", uid=uid, standing="accepted")
            assert answer.status_code == 400, uid


def test_places_and_hours_are_said_and_said_again(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    path = f"/access/drivers/{subject_of(connection, '04A1')}"
    with console.client(*OMAR) as client:
        hours = "06:00-22:00 monday FRIDAY\n22:00-24:00"
        assert send(client, f"{path}/places", site=["pier", "hill"], hours=hours).status_code == 303
        assert token_of(connection, "04A1") == Token(
            customer=getattr(token_of(connection, "04A1"), "customer", None),
            sites=("pier", "hill"),
            hours=(
                WeeklyHours(start=time(6), end=time(22), days=(Weekday.MONDAY, Weekday.FRIDAY)),
                WeeklyHours(start=time(22)),
            ),
        )
        shown = client.get(f"/console{path}").text
        assert "06:00-22:00 MONDAY FRIDAY\n22:00-00:00</textarea>" in shown
        assert len(re.findall(r"checkbox[^>]+ checked", shown)) == 2
        for wrong in ("always", "6-22", "25:00-26:00", "06:00-22:00 SOMEDAY", "٠٦:00-22:00"):
            answer = send(client, f"{path}/places", site=[], hours=wrong)
            assert answer.status_code == 400, wrong
            assert "says no hours" in answer.text
        assert send(client, f"{path}/places", site=["nowhere"], hours="").status_code == 400
        assert send(client, f"{path}/places", hours="").status_code == 303
        found = token_of(connection, "04A1")
        assert found is not None
        assert (found.sites, found.hours) == ((), ())


def test_who_reaches_a_part_lets_charge_there_alone(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    here, there, everywhere = (subject_of(connection, uid) for uid in ("04PIER", "04HILL", "04A1"))
    with console.client(*PETE) as client:
        shown = client.get("/console/access/drivers").text
        assert "04PIER" in shown
        assert "04HILL" not in shown
        assert "04A1" not in shown
        for subject in (there, everywhere):
            assert client.get(f"/console/access/drivers/{subject}").status_code == 404
            answer = send(client, f"/access/drivers/{subject}/places", site=["pier"], hours="")
            assert answer.status_code == 404
        for uid in ("04HILL", "04A1", "04NEW"):
            answer = send(client, "/access/drivers/let", uid=uid, standing="blocked")
            assert answer.status_code == 404, uid
        for uid in ("04HILL", "04A1", "04NEW"):
            shown = client.get("/console/access/drivers", params={"uid": uid}).text
            assert "Nobody knows this token" in shown, uid
        path = f"/access/drivers/{here}"
        assert "quay" in client.get(f"/console{path}").text
        for sites in (["hill"], ["pier", "hill"], []):
            answer = send(client, f"{path}/places", site=sites, hours="")
            assert answer.status_code == 400, sites
        assert send(client, f"{path}/places", site=["quay"], hours="").status_code == 303
        assert (
            send(client, "/access/drivers/let", uid="04PIER", standing="blocked").status_code == 303
        )
    with console.client("anna", Role.AUDITOR) as client:
        assert "04HILL" in client.get("/console/access/drivers").text
        answer = send(client, "/access/drivers/let", uid="04HILL", standing="blocked")
        assert answer.status_code == 403

    blocked = token_of(connection, "04PIER")
    assert blocked is not None
    assert (blocked.status, blocked.sites) == (TokenStatus.BLOCKED, ("quay",))
    untouched = token_of(connection, "04HILL")
    assert untouched is not None
    assert untouched.status is TokenStatus.ACCEPTED


def test_hours_are_written_as_they_are_read() -> None:
    text = "06:00-22:00 MONDAY FRIDAY\n22:30-06:15"

    assert written_hours(read_hours(text)) == text
    assert read_hours(" \n") == ()
    with pytest.raises(UnreadableHoursError):
        read_hours("00:00-01:00\n" * 51)

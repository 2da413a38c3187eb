"""What time zones said is recorded: a replay under another tzdata gives the same bytes."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from deploy.postgres import migrate
from ledger.rating.decisions import Decision, SessionHeld, SessionRated, decode_decision
from tariffs.offsets import UtcOffset
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    choose,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.rating.reconciling.test_reconciled_books import cost, event
from tests.projections.books_of_a_day import ask, tamper_with_decision, unpacked, work
from tests.tree import ROOT

DOCTORED = "2099.1"
TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.30 per kWh
    restrictions: {start_time: "00:00", end_time: "08:00"}
  - energy: 0.40 per kWh
adjustments:
  - {allowance: home, free: [energy], kwh_max: 50, members: residents}
"""
# 2026-04-01 00:00 in Berlin is 22:00 UTC the day before: 29 days and 15 hours into the log.
MIDNIGHT = 29 * 24 * 60 + 15 * 60
REPLAY = """
import json, sys
from deploy.running.replay import replay_and_compare
from ledger.log.postgres import PostgresEventLog
from tariffs.zones import TZDATA_VERSION
with PostgresEventLog(sys.argv[1]) as log:
    report = replay_and_compare(sys.argv[1], log)
print(json.dumps([TZDATA_VERSION, report.is_identical, report.compared_by_kind, str(report.shown)]))
"""
WORK = f"""
import json, sys
from ingest.facts.translate import translate
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from tariffs.zones import TZDATA_VERSION
options = dict(partitions=range({PARTITIONS}), translate=translate, schema="other")
with PostgresEventLog(sys.argv[1]) as log, Worker(sys.argv[1], log=log, **options) as worker:
    while worker.run_once():
        pass
print(json.dumps(TZDATA_VERSION))
"""


@pytest.fixture
def books(database: str) -> str:
    """Sessions whose price, month or times are found with the help of Berlin's time."""
    declare_fleet(database)
    version = declare_day(database, TARIFF)
    lines: list[Timed] = [
        *everywhere(version, 0),
        # From 08:01 until 08:50: after eight in Berlin, before it in London.
        *charge("CS-OLD-1", 1, "FLEET1", 1),
        *charge("CS-OLD-1", 2, "HOME1", 200),
        # Local times without a zone: rated, held and released, held and written off.
        *naive("CS-NEW-1", "A", "BEARER1", 10),
        *naive("CS-NEW-1", "B", "STRANGER", 100),
        *naive("CS-NEW-2", "C", "STRANGER", 10),
        choose("CS-NEW-1/B/20260302T084000Z", "release", 500),
        choose("CS-NEW-2/C/20260302T071000Z", "write_off", 500),
        # Held for what its station reckons, with our price, which is dearer after eight.
        event("CS-NEW-2", 1, "Started", "5", 0, 0),
        event("CS-NEW-2", 50, "Ended", "5", 1, 2_000, costDetails=cost(9.99)),
        # Over the hour that spring leaves out, and past the end of March in Berlin.
        *charge("CS-OLD-2", 3, "BEARER1", 26 * 24 * 60 + 17 * 60),
        *charge("CS-OLD-2", 4, "HOME1", MIDNIGHT - 20),
        *tick(MIDNIGHT + 10_000),
    ]
    write_log(database, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)
    work(database)
    return database


def charge(station: str, ref: int, token: str, minutes: float) -> list[Timed]:
    return [
        start16(station, minutes, ref, token, ref * 10_000),
        stop16(station, minutes + 49, ref, ref * 10_000 + 2_000),
    ]


def naive(station: str, ref: str, token: str, minutes: float) -> list[Timed]:
    """Return a session of a station that tells Berlin's time and no zone."""
    events = [
        event201(station, minutes, "Started", ref, 0, 0, token=token),
        event201(station, minutes + 20, "Updated", ref, 1, 1_000),
        event201(station, minutes + 40, "Ended", ref, 2, 2_000),
    ]
    return [
        (moment, name, msgspec.structs.replace(line, frame=localised(line.frame)))  # type: ignore[union-attr] # all are frames
        for moment, name, line in events
    ]


def localised(frame: str) -> str:
    found = json.loads(frame)
    payload = found[3]
    for told in (payload, *payload["meterValue"]):
        hour = int(told["timestamp"][11:13]) + 1
        told["timestamp"] = f"{told['timestamp'][:11]}{hour:02d}{told['timestamp'][13:-1]}"
    return json.dumps(found)


@pytest.fixture
def doctored(tmp_path: Path) -> Path:
    """A tzdata in which Berlin has always had London's time, to be found before ours."""
    package = tmp_path / "tzdata"
    shutil.copytree(str(files("tzdata")), package, ignore=shutil.ignore_patterns("__pycache__"))
    zones = package / "zoneinfo" / "Europe"
    shutil.copy(zones / "London", zones / "Berlin")
    metadata = tmp_path / f"tzdata-{DOCTORED}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: tzdata\nVersion: {DOCTORED}\n")
    return tmp_path


def run_with(tzdata: Path, script: str, dsn: str) -> Any:  # noqa: ANN401 - any JSON
    path = os.pathsep.join([str(tzdata), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script, dsn],
        env={**os.environ, "PYTHONPATH": path, "PYTHONTZPATH": str(tzdata / "tzdata/zoneinfo")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def decisions(dsn: str, schema: str = "books") -> dict[tuple[str, str], Decision]:
    """Return every decision by transaction and kind."""
    query = f"SELECT split_part(session_id, '/', 2), kind, body FROM {schema}.session_decision"
    with ask(dsn) as connection:
        rows = connection.execute(query.encode()).fetchall()
    return {(str(ref), str(kind)): decode_decision(unpacked(body)) for ref, kind, body in rows}


def rated(dsn: str, ref: str, schema: str = "books") -> SessionRated:
    decision = decisions(dsn, schema)[ref, "rated"]
    assert isinstance(decision, SessionRated)
    return decision


def test_a_replay_under_another_tzdata_gives_the_same_bytes(books: str, doctored: Path) -> None:
    kinds = {kind for _, kind in decisions(books)}
    assert kinds == {"rated", "held", "released", "written_off"}

    version, is_identical, compared, shown = run_with(doctored, REPLAY, books)

    assert version == DOCTORED
    assert is_identical, shown
    # Eight sessions, of which two were held first.
    assert compared["decision"] == 10
    assert compared["invoice document"] == 5


def test_new_decisions_under_another_tzdata_differ_and_say_so(books: str, doctored: Path) -> None:
    with psycopg.connect(books, autocommit=True) as connection:
        migrate.apply(connection, "books", schema="other")

    run_with(doctored, WORK, books)

    # London is at 07:01 where Berlin is at 08:01, and ends its March an hour later.
    assert [rated(books, "1").net_minor, rated(books, "1", "other").net_minor] == [80, 60]
    months = [rated(books, "4").billing_month, rated(books, "4", "other").billing_month]
    assert months == ["2026-04", "2026-03"]
    uses = [rated(books, "4").allowances[0].period, rated(books, "4", "other").allowances[0].period]
    assert uses == ["2026-03", "2026-03"]
    # An hour ahead of us: the station's clock is taken to be wrong.
    assert "tz_mislabelled" not in rated(books, "A").flags
    assert "tz_mislabelled" in rated(books, "A", "other").flags
    ours = [_figures(decisions(books, schema)["5", "held"]) for schema in ("books", "other")]
    assert ours == ["0.95 EUR", "0.71 EUR"]
    for ref in ("1", "2", "3", "4"):
        assert rated(books, ref).tzdata_version == importlib.metadata.version("tzdata")
        assert rated(books, ref, "other").tzdata_version == DOCTORED


def _figures(decision: Decision) -> object:
    """Return our price in the reason of a session that its station reckons otherwise."""
    assert isinstance(decision, SessionHeld)
    [reason] = decision.reasons
    return reason.parameters["ours"]


def test_a_decision_names_the_offsets_it_used(books: str) -> None:
    spring = UtcOffset(at(26 * 24 * 60 + 18 * 60), 7200)

    assert [each.offsets for each in rated(books, "1").offsets] == [(UtcOffset(None, 3600),)]
    assert [each.offsets for each in rated(books, "3").offsets] == [(UtcOffset(None, 3600), spring)]
    held = decisions(books)["C", "held"]
    assert isinstance(held, SessionHeld)
    assert [(each.zone, each.offsets) for each in held.offsets] == [
        ("Europe/Berlin", (UtcOffset(None, 3600),))
    ]
    assert held.tzdata_version == importlib.metadata.version("tzdata")


def test_offsets_that_were_tampered_with_change_what_a_replay_finds(
    books: str, doctored: Path
) -> None:
    tamper_with_decision(books, "CS-OLD-1/1/%", "[null,3600]", "[null,0]")

    _, is_identical, _, shown = run_with(doctored, REPLAY, books)

    assert not is_identical
    assert "rated line" in shown

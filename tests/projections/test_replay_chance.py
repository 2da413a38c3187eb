"""Whatever stations sent: a replay gives the same bytes, however and wherever it is run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Final

import pytest

from ingest.facts.translate import translate
from ledger.invoices.invoicer import Invoicer
from ledger.log.envelope import Declared, Tick
from ledger.log.event_log import partition_of
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from tests import charging_day
from tests.charging_day import Timed, at, declare_day, declare_fleet, write_log
from tests.ledger.worker import test_worker_chance
from tests.ledger.worker.test_worker_chance import day_of_one_id, day_of_quick_ids, disturbed_day
from tests.projections.test_shared_state import TARIFF
from tests.tree import ROOT

PARTITIONS = 8
STATIONS_SPEAK_IN = 4
"""So many of them have stations; in the others time passes."""
Ways = list[tuple[int, int]]
"""Each with so many workers, and records a transaction."""
MAKERS = (disturbed_day, day_of_one_id, day_of_quick_ids)

HERE: Final[Mapping[str, str]] = {
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
    "PGTZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
}
"""Half a day ahead, and no letter beyond ASCII is known."""
THERE: Final[Mapping[str, str]] = {
    "PYTHONHASHSEED": "31337",
    "TZ": "America/St_Johns",
    "PGTZ": "America/St_Johns",
    "PGDATESTYLE": "ISO, DMY",
    "LC_ALL": "C.UTF-8",
}
REPLAY = """
import json, sys
from functools import partial
from deploy.running.replay import replay_and_compare, replay_in_processes
from ledger.log.postgres import PostgresEventLog
dsn, reports = sys.argv[1], []
for workers, records in json.loads(sys.argv[2]):
    if workers == 1:
        with PostgresEventLog(dsn) as log:
            report = replay_and_compare(dsn, log, group_records=records)
    else:
        open_log = partial(PostgresEventLog, dsn)
        report = replay_in_processes(dsn, open_log, workers=workers, group_records=records)
    found = report.compared_by_kind
    reports.append([found["decision"], found.get("invoice document", 0), str(report.shown)])
print(json.dumps(reports))
"""


def kept_books(dsn: str, seed: int) -> None:
    """Write a made log and keep its books, the partitions one after the other in some order."""
    chance = random.Random(seed)
    declare_fleet(dsn)
    version = declare_day(dsn, TARIFF)
    day = MAKERS[seed % len(MAKERS)](version, chance)
    write_log(dsn, [*day, *elsewhere(version)], lines_a_record=chance.choice([1, 2, 5, 20]))
    partitions = list(range(PARTITIONS))
    chance.shuffle(partitions)
    with PostgresEventLog(dsn) as log:
        for partition in partitions:
            with Worker(dsn, log=log, partitions=[partition], translate=translate) as worker:
                while worker.run_once():
                    pass
        with closing(Invoicer(dsn, log)) as invoicer:
            invoicer.run_once()


def elsewhere(version: int) -> list[Timed]:
    """Return lines for every partition in which no station speaks."""
    named = {partition_of(f"X{n}", partitions=PARTITIONS): f"X{n}" for n in range(100)}
    spoken = {partition_of(each, partitions=PARTITIONS) for each in charging_day.STATIONS}
    assert (len(named), len(spoken)) == (PARTITIONS, STATIONS_SPEAK_IN)
    return [
        (at(minutes), named[number], line)
        for number in named.keys() - spoken
        for minutes, line in (
            (-1, Declared(received_at=at(-1), version=version)),
            (2_200, Tick(received_at=at(2_200))),
        )
    ]


def replayed_in(dsn: str, environment: Mapping[str, str], ways: Ways) -> list[list[object]]:
    """Replay in each of *ways* in an *environment*."""
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, dsn, json.dumps(ways)],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reports: list[list[object]] = json.loads(done.stdout)
    return reports


def assert_same_wherever_replayed(
    dsn: str, seed: int, monkeypatch: pytest.MonkeyPatch, *, here: Ways, there: Ways
) -> None:
    monkeypatch.setattr(charging_day, "PARTITIONS", PARTITIONS)
    # The first lines of a day, which say what is declared, are neither lost nor late.
    monkeypatch.setattr(test_worker_chance, "PARTITIONS", STATIONS_SPEAK_IN)
    kept_books(dsn, seed)

    reports = [*replayed_in(dsn, HERE, here), *replayed_in(dsn, THERE, there)]

    decisions, invoices, _ = reports[0]
    assert reports == len([*here, *there]) * [[decisions, invoices, "()"]]
    assert isinstance(decisions, int)
    assert decisions > 0


@pytest.mark.parametrize(
    ("seed", "workers"),
    # A process takes a second to start: eight of them once.
    [(0, 8), (1, 2), (2, 2), (3, 2), (4, 2)],
)
def test_a_made_log_replays_to_the_same_bytes_everywhere(
    database: str, seed: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = [(1, 1), (1, 4_000)], [(workers, 7)]
    assert_same_wherever_replayed(database, seed, monkeypatch, here=here, there=there)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_made_logs_replay_to_the_same_bytes_everywhere(
    database: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = [(1, 1), (2, 7)], [(1, 7), (8, 4_000)]
    assert_same_wherever_replayed(database, seed, monkeypatch, here=here, there=there)

"""A replay by several processes: the same report, a process that ends is told, nothing hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import psycopg
import pytest

from deploy.cli import WRONG, run
from deploy.running.replay import replay_and_compare, replay_in_processes
from deploy.running.replay_processes import ReplayProcessError
from deploy.settings import NAMES
from ledger.log.event_log import LogUnavailableError, Record
from ledger.log.postgres import PostgresEventLog
from tests import charging_day
from tests.charging_day import choose
from tests.projections.books_of_a_day import books_of_a_day, tamper_with_decision
from tests.tree import ROOT

HELD = "CS-OLD-2/22/20260302T082000Z"
PARTITIONS = 8


@pytest.fixture
def books(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Books of the charging day over eight partitions, four of which say something."""
    monkeypatch.setattr(charging_day, "PARTITIONS", PARTITIONS)
    monkeypatch.setattr("tests.projections.books_of_a_day.PARTITIONS", PARTITIONS)
    return books_of_a_day(database, choose(HELD, "release", 300))


class BrokenLog(PostgresEventLog):
    """Does not give what it is asked for."""

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        message = f"no record from {partition}/{start}: {records}, {lines}"
        raise LogUnavailableError(message)


class DeadlyLog(PostgresEventLog):
    """Ends the process that reads, as the kernel does where memory is short."""

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        if self.ends()[partition] == max(self.ends()):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(partition, start, records=records, lines=lines)


class EndlessLog(PostgresEventLog):
    """Gives nothing for a long time, and says in a file who waits."""

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        (Path(os.environ["WAITING"]) / str(os.getpid())).touch()
        time.sleep(600)
        return super().read(partition, start, records=records, lines=lines)


def schemas_left(dsn: str) -> Sequence[object]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^replay'"
        ).fetchall()


@pytest.mark.parametrize("workers", [1, 3, 32])
def test_however_many_processes_replay_the_report_is_the_same(books: str, *, workers: int) -> None:
    told: list[tuple[int, int, int]] = []
    tamper_with_decision(books, "%/12/%", '"flags":[]', '"flags":[ ]')
    with PostgresEventLog(books) as log:
        expected = replay_and_compare(books, log)

    report = replay_in_processes(
        books,
        partial(PostgresEventLog, books),
        workers=workers,
        progress=lambda *done: told.append(done),
    )

    assert report == expected
    assert report.differences == 1
    assert told[-1] == (told[-1][1], told[-1][1], report.lines)
    assert told == sorted(told)
    assert schemas_left(books) == []


@pytest.mark.parametrize(
    ("log", "why"),
    [
        pytest.param(BrokenLog, "LogUnavailableError: no record from ./0", id="an error"),
        pytest.param(DeadlyLog, "its process ended with exit code -9", id="a kill"),
    ],
)
def test_a_process_that_fails_is_told_and_ends_the_others(
    books: str, *, log: type[PostgresEventLog], why: str
) -> None:
    with pytest.raises(ReplayProcessError, match=why) as failure:
        replay_in_processes(books, partial(log, books), workers=2)

    assert f"partition {failure.value.partition} was not replayed" in str(failure.value)
    assert schemas_left(books) == []


def test_books_without_a_record_need_no_process(database: str) -> None:
    report = replay_in_processes(database, partial(BrokenLog, database), workers=2)

    assert (report.is_identical, report.lines) == (True, 0)


SCRIPT = """
import sys
from functools import partial
from deploy.running.replay import replay_in_processes
from tests.deploy.running.test_replay_processes import EndlessLog

if __name__ == "__main__":
    try:
        replay_in_processes(sys.argv[1], partial(EndlessLog, sys.argv[1]), workers=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Path]:
    """Where processes that wait say so; none is left."""
    folder = tmp_path / "waiting"
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        if is_alive(int(path.name)):
            os.kill(int(path.name), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_whatever_ends_a_replay_ends_its_processes(
    books: str, waiting: Path, tmp_path: Path, *, end: signal.Signals, code: int
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), books]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WAITING": str(waiting)}
    with subprocess.Popen(command, env=environment) as lead:
        until = time.monotonic() + 60
        while len(list(waiting.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        hands = [int(path.name) for path in waiting.iterdir()]
        assert len(hands) == 2

        lead.send_signal(end)

        assert lead.wait(60) == code
    until = time.monotonic() + 60
    while any(map(is_alive, hands)) and time.monotonic() < until:
        time.sleep(0.05)
    assert [pid for pid in hands if is_alive(pid)] == []


def test_the_command_deals_partitions_out(
    books: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", books)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))

    reports, threads = [], threading.active_count()
    for workers in ("1", "2"):
        assert run(["replay", "--check", "--json", "--workers", workers]) == 0
        reports.append(json.loads(capsys.readouterr().out))

    assert reports[0] == reports[1]
    assert reports[0]["compared_by_kind"]["decision"] == 8
    for workers in ("0", "33"):
        assert run(["replay", "--check", "--workers", workers]) == WRONG
        assert "--workers must be between 1 and 32" in capsys.readouterr().err
    assert threading.active_count() == threads

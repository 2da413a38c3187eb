"""Tables that a newer version brings up to date under processes of this one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from deploy.cli import WRONG
from deploy.postgres.newer import NewerTablesError, ended_by_newer, newer_tables
from ingest.facts.translate import translate
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import FencedError, Worker
from tests.charging_day import charging_day, declare_fleet, write_log
from tests.deploy.running_wattledger import Wattledger

LATER = "9999_a_rule_of_later.sql"
WORDS = f"a newer version has brought the tables up to date ({LATER})"


def bring_up_to_date(database: str, schema: str = "books") -> None:
    """Do as a newer version's migration: a column that this version's worker does not fill."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "ALTER TABLE books.session_decision ADD of_later text NOT NULL DEFAULT ''"
        )
        connection.execute("ALTER TABLE books.session_decision ALTER of_later DROP DEFAULT")
        row = (LATER, "")
        connection.execute(f"INSERT INTO {schema}.migration (name, sha256) VALUES (%s, %s)", row)


@pytest.mark.parametrize("schema", ["inputs", "persons", "books"])
def test_what_this_program_does_not_know_is_named(database: str, schema: str) -> None:
    with psycopg.connect(database) as connection:
        assert newer_tables(connection) == ""
        bring_up_to_date(database, schema)

        assert newer_tables(connection).startswith(WORDS)


def test_a_worker_of_before_writes_nothing_and_sets_no_line_aside(database: str) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    with PostgresEventLog(database) as log:
        partitions = range(log.partitions)
        with Worker(database, log=log, partitions=partitions, translate=translate) as worker:
            worker.fence = newer_tables
            bring_up_to_date(database)

            with pytest.raises(FencedError, match="start it with the newer version"):
                worker.take_turns()

    with psycopg.connect(database) as connection:
        for table in ("session_decision", "line_set_aside", "session"):
            assert connection.execute(f"SELECT count(*) FROM books.{table}").fetchone() == (0,)


def test_without_the_fence_lines_are_set_aside(database: str) -> None:
    """The control: what this is for."""
    write_log(database, charging_day(declare_fleet(database)))
    with PostgresEventLog(database) as log:
        partitions = range(log.partitions)
        with Worker(database, log=log, partitions=partitions, translate=translate) as worker:
            bring_up_to_date(database)
            while worker.take_turns():
                pass

    with psycopg.connect(database) as connection:
        [(aside,)] = connection.execute("SELECT count(*) FROM books.line_set_aside").fetchall()
    assert aside > 0


@pytest.mark.parametrize("part", ["worker", "invoicing", "documents"])
def test_a_process_of_before_ends_with_words(
    database: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], part: str
) -> None:
    old = Wattledger(tmp_path)
    old.environment["WATTLEDGER_DATABASE_URL"] = database
    with old.part(part) as (process, _):
        bring_up_to_date(database)

        assert process.wait(30) == WRONG
    assert WORDS in capfd.readouterr().err


def test_stations_are_answered_by_a_process_of_before(database: str, tmp_path: Path) -> None:
    old = Wattledger(tmp_path)
    old.environment["WATTLEDGER_DATABASE_URL"] = database
    with old.part("stations", "--port", "0") as (process, _):
        bring_up_to_date(database)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)


def test_a_part_that_is_started_again_does_not_begin(database: str) -> None:
    with ended_by_newer(database):
        pass
    bring_up_to_date(database)

    with pytest.raises(NewerTablesError, match=LATER), ended_by_newer(database):
        pytest.fail("it began")

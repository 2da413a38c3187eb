"""The log is behind its port: its tables are named in its store and nowhere else."""

from __future__ import annotations

import re

from tests.test_tidy import BENCH, ROOT, SOURCES, TESTS

TABLES = re.compile("log_" + "(batch|head)")
STORE = {"ledger/log/postgres.py"}
TESTS_OF_THE_STORE = {
    "tests/ledger/log/test_log_postgres.py",
    # Appends and does not commit, to see that who moves the log waits.
    "tests/ledger/log/test_moving.py",
    # Takes a record out of the log behind everybody's back, to see that a replay notices.
    "tests/projections/test_replay.py",
}


def test_no_module_but_the_store_names_its_tables() -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in [*SOURCES, *TESTS, *BENCH]
        if TABLES.search(path.read_text("utf-8"))
    }

    assert named == STORE | TESTS_OF_THE_STORE


def test_no_migration_but_the_logs_own_names_them() -> None:
    named = {
        path.name
        for path in (ROOT / "deploy" / "migrations").rglob("*.sql")
        if TABLES.search(path.read_text("utf-8"))
    }

    assert named == {"0001_log.sql"}


def test_one_module_of_the_product_chooses_the_store() -> None:
    choosing = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"^\s*from ledger\.log\.postgres", path.read_text("utf-8"), re.MULTILINE)
    }

    assert choosing == {
        "deploy/running/log_store.py",
        "ledger/log/moving.py",
        "ledger/log/postgres_lines.py",
    }


def test_nothing_but_the_worker_and_the_wiring_names_kafka() -> None:
    choosing = {
        str(path.relative_to(ROOT).parent)
        for path in SOURCES
        if re.search(r"^\s*from ledger\.log\.kafka", path.read_text("utf-8"), re.MULTILINE)
    }

    assert choosing == {
        "deploy/commands/running",
        "deploy/demo",
        "deploy/running",
        "ledger/log/kafka",
        "ledger/worker/kafka",
        "projections/publishing",
    }

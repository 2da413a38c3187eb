"""What cannot be issued: tried again when there is a reason to, listed, and told in one place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.cli import WRONG, run
from deploy.observing.invoicing_condition import InvoicingCondition
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare
from ledger.invoices.checks.refusal import CheckMissingError, DocumentRefusedError
from ledger.invoices.document import InvoiceDocument
from ledger.invoices.invoicer import STOPPED_SECONDS, Invoicer
from ledger.invoices.refusals.refused import RefusedDocument, refused_documents
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.master_data.customers import Customer
from ledger.rating.decisions import SessionRated
from ledger.worker.worker import Worker
from tariffs.phrases.phrase import phrase
from tests.depot import changes, declared, keep_decisions, rated, session

BEGUN = datetime(2026, 11, 12, 12, tzinfo=UTC)
DECLARED = declared()
MISSING = "saxonche is not installed"


class Official:
    """Stands for the official rules: refuses sessions by their number; may be missing."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.is_missing = False
        self.looks = 0

    def __call__(self, document: InvoiceDocument, sessions: Sequence[SessionRated], /) -> None:
        assert document.number
        if self.is_missing:
            raise CheckMissingError(MISSING)
        self.looks += 1
        if any(each.session_id.split("/")[1] in self.refuses for each in sessions):
            raise DocumentRefusedError([phrase("seller_without_name")])


@pytest.fixture
def official() -> Official:
    return Official()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, 1)
    with connect(database) as connection:
        declare(connection, changes(), by="test", at=BEGUN)
        yield connection


@pytest.fixture
def log(database: str, connection: psycopg.Connection[Any]) -> Iterator[PostgresEventLog]:
    assert not connection.closed
    with PostgresEventLog(database) as log:
        yield log


@pytest.fixture
def invoicer(database: str, log: PostgresEventLog, official: Official) -> Iterator[Invoicer]:
    with closing(Invoicer(database, log, official)) as invoicer:
        yield invoicer


def rates(connection: psycopg.Connection[Any], *numbers: int) -> None:
    keep_decisions(connection, [rated(session(number), DECLARED) for number in numbers])


def it_is(dsn: str, log: PostgresEventLog, minute: int) -> None:
    """Let the log's time be so many minutes later."""
    tick = encode_line(Tick(received_at=BEGUN + timedelta(minutes=minute)))
    log.append([NewRecord(0, [tick])])
    with Worker(dsn, log=log, partitions=range(1), translate=lambda *_, **__: ()) as worker:
        worker.run_once()


def test_what_is_refused_is_tried_again_after_one_minute_two_and_four(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    invoicer: Invoicer,
    official: Official,
) -> None:
    """By the log's time; a look costs nothing but to know that it is still due."""
    rates(connection, 1, 2)
    official.refuses = {"2"}
    tried = []
    for minute in range(12):
        it_is(database, log, minute)
        for _ in range(3):
            before = official.looks
            invoicer.run_once()
            if official.looks > before:
                tried.append(minute)
        # Not even the gate's memory is asked: the check would refuse the same content unseen.
        invoicer._issuer._gate._refused.clear()  # noqa: SLF001 - what is measured is the tries

    assert tried == [0, 1, 3, 7]
    assert (invoicer.issued, invoicer.failing) == (1, 1)


def test_what_was_repaired_is_issued_at_the_next_look_and_off_the_list(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    invoicer: Invoicer,
    official: Official,
    caplog: pytest.LogCaptureFixture,
) -> None:
    it_is(database, log, 0)
    rates(connection, 1, 2)
    official.refuses = {"1"}
    first = invoicer.run_once()
    listed = refused_documents(connection, limit=9)
    invoicer.run_once()

    official.refuses = set()
    repaired = Customer(details="Anna Arndt, in another house")
    change = Change(kind=Kind.CUSTOMER, key="anna", entity=repaired, valid_from=BEGINNING)
    declare(connection, [change], by="test", at=BEGUN)
    later = invoicer.run_once()

    assert (first, later) == (("WL-2026-000001",), ("WL-2026-000002",))
    assert listed == (
        RefusedDocument(
            cause="session:ST-1/1/20261110T120000Z",
            why="Its seller has no name. Declare it with `wattledger apply`, and the document is"
            " issued.",
            since=BEGUN,
            declared_version=listed[0].declared_version,
        ),
    )
    assert len(caplog.messages) == 1
    assert refused_documents(connection, limit=9) == ()
    assert invoicer.failing == 0


def test_what_is_due_no_more_is_off_the_list_also_where_another_process_put_it(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    invoicer: Invoicer,
    official: Official,
) -> None:
    it_is(database, log, 0)
    rates(connection, 1, 2)
    official.refuses = {"1", "2"}
    with closing(Invoicer(database, log, official)) as other:
        other.run_once()
    connection.execute("DELETE FROM uninvoiced_session WHERE session_id LIKE 'ST-1/1/%'")
    invoicer.run_once()
    left = [each.cause for each in refused_documents(connection, limit=9)]
    connection.execute("DELETE FROM uninvoiced_session")
    invoicer.run_once()

    assert left == ["session:ST-1/2/20261110T120000Z"]
    assert refused_documents(connection, limit=9) == ()
    assert invoicer.failing == 0


class Waits(threading.Event):
    """Is set after some looks; knows how long each wait may last."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks, self.seconds = looks, list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) > self.looks


def test_a_missing_validator_is_told_once_for_all_and_the_part_is_not_ready_until_it_is_back(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    invoicer: Invoicer,
    official: Official,
    caplog: pytest.LogCaptureFixture,
) -> None:
    it_is(database, log, 0)
    rates(connection, 1, 2, 3)
    # Of no database: a condition keeps its connection for as long as the process lives.
    condition = InvoicingCondition("host=/nowhere", log, invoicer)
    official.is_missing = True
    invoicer.run(stop := Waits(3))
    unready = {each.code: each.why for each in condition().unready}
    said = list(caplog.messages)
    official.is_missing = False
    numbers = invoicer.run_once()

    assert said == [f"no document can be issued, for none can be checked: {MISSING}"]
    assert unready["documents_unchecked"] == said[0]
    assert stop.seconds == [0.5, *[STOPPED_SECONDS] * 3]
    assert numbers == ("WL-2026-000001", "WL-2026-000002", "WL-2026-000003")
    assert [each.code for each in condition().unready] == ["database_away"]
    assert caplog.messages[1:] == ["documents can be checked again: what is due is issued"]


def test_finance_sees_what_cannot_be_issued(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    invoicer: Invoicer,
    official: Official,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", "1")
    it_is(database, log, 0)
    assert run(["invoices", "--refused"]) == 0
    assert "Everything that is due can be issued." in capsys.readouterr().out
    rates(connection, 1)
    official.refuses = {"1"}
    invoicer.run_once()

    assert run(["invoices", "--refused", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)

    assert shown["cause"] == "session:ST-1/1/20261110T120000Z"
    assert shown["why"].startswith("Its seller has no name.")
    assert run(["invoices", "--refused"]) == 0
    assert "session:ST-1/1/20261110T120000Z" in capsys.readouterr().out
    capsys.readouterr()
    assert run(["invoices", "--refused", "--customer", "ada"]) == WRONG
    assert "leave --customer out" in capsys.readouterr().err

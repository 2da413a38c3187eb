"""How far the invoicer may look: by the log's time, whatever stands in the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare
from ledger.invoices.document import read_document
from ledger.invoices.invoicer import Invoicer, decided_up_to, waiting_since
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.tokens import Token
from ledger.worker.worker import Worker
from tests.depot import THINGS, changes, declared, keep_decisions, rated, session
from tests.projections.console.crowded.asked_statements import StatementLog, statements_logged

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DECLARED = declared()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, 2)
    with connect(database) as connection:
        yield connection


@pytest.fixture
def log(database: str, connection: psycopg.Connection[Any]) -> Iterator[PostgresEventLog]:
    assert not connection.closed
    with PostgresEventLog(database) as log:
        yield log


def ticks(*minutes: float) -> list[bytes]:
    return [encode_line(Tick(received_at=NOON + timedelta(minutes=each))) for each in minutes]


def take(dsn: str, log: PostgresEventLog, records: int) -> None:
    """Let the worker take some records of each partition."""
    with Worker(
        dsn, log=log, partitions=range(2), translate=lambda *_, **__: (), group_records=records
    ) as worker:
        worker.run_once()


def test_a_line_that_nobody_can_read_does_not_stop_the_invoicer(
    connection: psycopg.Connection[Any], log: PostgresEventLog
) -> None:
    log.append([NewRecord(0, [b'{"kind":"not of this version"}', b"no JSON", *ticks(0)])])

    assert waiting_since(connection, log) == NOON


def test_the_time_is_that_of_the_last_record_which_says_one(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    assert decided_up_to(connection) is None
    log.append([NewRecord(0, ticks(2, 1)), NewRecord(0, [b"no JSON"]), NewRecord(1, ticks(-5))])

    take(database, log, 1)
    first = decided_up_to(connection)
    take(database, log, 1)

    assert (first, decided_up_to(connection)) == (NOON + timedelta(minutes=2),) * 2


def test_what_is_still_to_be_decided_holds_its_month_open(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    log.append([NewRecord(0, ticks(0)), NewRecord(0, ticks(7, 5)), NewRecord(1, ticks(60))])

    take(database, log, 1)
    waiting = waiting_since(connection, log)
    take(database, log, 1)

    assert decided_up_to(connection) == NOON + timedelta(minutes=60)
    assert waiting == NOON + timedelta(minutes=5)
    assert waiting_since(connection, log) is None


def test_what_cannot_be_invoiced_is_told_once_and_not_when_the_part_is_to_end(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    database: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log.append([NewRecord(0, ticks(0))])
    take(database, log, 1)
    with connection.transaction():
        keep_decisions(connection, [rated(session(number), declared()) for number in range(1, 4)])

    with closing(Invoicer(database, log)) as invoicer:
        assert invoicer.run_once(lambda: True) == ()
        assert not caplog.messages
        assert invoicer.failing == 0
        assert invoicer.run_once() == ()
        assert invoicer.run_once() == ()
        assert (invoicer.issued, invoicer.failing) == (0, 3)

    # Nobody declared the seller here: each session says so, once.
    assert len(caplog.messages) == 3
    assert "legal entity depot is not declared" in caplog.messages[0]


def test_the_record_that_is_next_says_how_far_a_month_is_complete(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    """Not one behind it, whose receipt may lie before."""
    log.append([NewRecord(0, ticks(5)), NewRecord(0, ticks(3)), NewRecord(0, ticks(4))])

    found = [waiting_since(connection, log)]
    for _ in range(3):
        take(database, log, 1)
        found.append(waiting_since(connection, log))

    assert found == [*(NOON + timedelta(minutes=each) for each in (5, 3, 4)), None]


class Stop(threading.Event):
    """Set after two looks; knows how long each wait may last."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once whether there were two looks."""
        self.waits.append(timeout)
        return len(self.waits) > 2


def test_names_are_those_that_are_declared_when_it_looks(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    log.append([NewRecord(0, ticks(0))])
    take(database, log, 1)
    depot = THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(depot, LegalEntity)
    renamed = msgspec.structs.replace(depot, name="Depot AG")
    declare(connection, changes(), by="test", at=NOON)
    keep_decisions(connection, [rated(session(1), DECLARED)])

    with closing(Invoicer(database, log)) as invoicer, InvoiceIssuer(database) as issuer:
        beats: list[None] = []
        invoicer.run(stop := Stop(), beat=lambda: beats.append(None))
        change = Change(kind=Kind.LEGAL_ENTITY, key="depot", entity=renamed, valid_from=BEGINNING)
        declare(connection, [change], by="test", at=NOON)
        keep_decisions(connection, [rated(session(2), DECLARED)])
        assert invoicer.run_once() == ("WL-2026-000002",)
        documents = [read_document(invoice.document) for _, invoice in issuer.invoices()]
        assert (invoicer.issued, invoicer.failing) == (2, 0)

    assert len(beats) > 2  # at each look, and before each invoice
    assert stop.waits == [0.5] * 3
    assert [each.seller.name for each in documents] == ["Depot GmbH", "Depot AG"]


def test_nothing_to_issue_for_long_is_no_failure(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    log.append([NewRecord(0, ticks(0))])
    take(database, log, 1)
    declare(connection, changes(), by="test", at=NOON)

    with closing(Invoicer(database, log, silent_seconds=3)) as invoicer:
        for _ in range(35):  # it looks every half second; only who stands still is let go
            assert invoicer.run_once() == ()
            time.sleep(0.1)
        keep_decisions(connection, [rated(session(1), DECLARED)])
        assert invoicer.run_once() == ("WL-2026-000001",)
        time.sleep(4)
        with pytest.raises(psycopg.OperationalError):
            invoicer.run_once()


def test_an_invoicer_that_is_closed_leaves_no_connection_behind(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    others = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    before = connection.execute(others).fetchone()
    invoicer = Invoicer(database, log)
    assert connection.execute(others).fetchone() != before

    invoicer.close()

    until = time.monotonic() + 60  # a server's process ends a moment after its client
    while connection.execute(others).fetchone() != before and time.monotonic() < until:
        time.sleep(0.01)
    assert connection.execute(others).fetchone() == before


def test_who_is_asked_to_end_issues_nothing_more_and_the_next_call_the_rest(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    with connection.transaction():
        keep_decisions(connection, [rated(session(number), DECLARED) for number in (1, 2, 3)])

    def is_over() -> bool:
        return any(issuer.invoices())

    first = issue_due(connection, issuer, DECLARED, up_to=NOON, is_over=is_over, at_once=1)

    assert first == ("WL-2026-000001",)
    assert issue_due(connection, issuer, DECLARED, up_to=NOON, is_over=is_over) == ()
    rest = issue_due(connection, issuer, DECLARED, up_to=NOON)
    assert rest == ("WL-2026-000002", "WL-2026-000003")


def test_what_cannot_be_invoiced_stops_nobody_else_s_invoice(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    lost = msgspec.structs.replace(rated(session(1), DECLARED), legal_entity="gone")
    with connection.transaction():
        keep_decisions(connection, [lost, rated(session(2), DECLARED)])
    told: list[tuple[str, str]] = []

    numbers = issue_due(
        connection,
        issuer,
        DECLARED,
        up_to=NOON,
        told=lambda cause, why: told.append((cause, str(why))),
    )

    assert numbers == ("WL-2026-000001",)
    [(cause, why)] = told
    assert lost.session_id in cause
    assert why == "legal entity gone is not declared, but has sessions to bill"


def test_thresholds_are_looked_at_once_a_minute_of_the_logs_time(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    customer = Customer(
        details="Fleet AG", invoicing=Invoicing.ON_THRESHOLD, threshold=Decimal("4.76")
    )
    change = Change(kind=Kind.CUSTOMER, key="fleet", entity=customer, valid_from=BEGINNING)
    declare(connection, changes(), by="a test", at=NOON)
    declare(connection, [change], by="a test", at=NOON)
    known = declared((Kind.CUSTOMER, "fleet", customer, BEGINNING))
    log.append([NewRecord(0, ticks(each)) for each in (0, 0.9, 1)])
    issued = []
    with closing(Invoicer(database, log)) as invoicer:
        for number in range(1, 4):
            charging = session(number, token_uid="fleet-1", started_at=NOON - timedelta(hours=2))
            keep_decisions(connection, [rated(charging, known)])
            take(database, log, 1)
            issued.append(len(invoicer.run_once()))

    assert issued == [1, 0, 2]


def test_what_is_declared_later_is_read_without_all_the_rest(
    connection: psycopg.Connection[Any], log: PostgresEventLog, database: str
) -> None:
    log.append([NewRecord(0, ticks(0))])
    take(database, log, 1)
    declare(connection, changes(), by="a test", at=NOON)
    read = []
    with statements_logged(database) as asked, closing(Invoicer(database, log)) as invoicer:
        for number in range(1, 4):
            with connection.transaction():
                keep_decisions(connection, [rated(session(number), declared())])
            assert len(invoicer.run_once()) == 1
            read.append(rows_of_declarations(asked))
            token = Change(kind=Kind.TOKEN, key=f"later-{number}", entity=Token())
            declare(connection, [token], by="a test", at=NOON)

    assert read == [len(changes()), 1, 1]


def rows_of_declarations(asked: StatementLog) -> int:
    """Return how many declarations came back since the last look; versions are no declarations."""
    return sum(
        each.rows for each in asked.new() if "valid_from, body FROM declaration" in each.text
    )

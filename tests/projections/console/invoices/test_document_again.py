"""Documents made again: each of the demo's month is what it was, and what was changed is told."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer
from ledger.jobs.asking import ask_for
from ledger.jobs.taking import take_job
from ledger.jobs.working import JobProgress
from ledger.log.postgres import PostgresEventLog
from ledger.rating.decisions import SessionRevision
from projections.audit.shown_documents import show_invoice
from projections.audit.trail import explain
from projections.documents.keeping.verifying import verify_documents
from projections.errors import LongDocumentError
from projections.replay.made_again import AGAIN_KIND, AgainWish, make_again
from projections.replay.one_document import NotComparedError, document_again, ratings_again

pytestmark = pytest.mark.timeout(600)
LARGE = "HC-2026-000109"
SMALL = "HC-2026-000047"
NOW = datetime(2026, 4, 2, 12, tzinfo=UTC)


def test_every_document_of_the_month_is_the_same_bytes(demo_dsn: str) -> None:
    numbers = "SELECT number FROM issued_invoice ORDER BY number"
    with connect(demo_dsn) as connection, closing(InvoiceIssuer(demo_dsn)) as issuer:
        made = [
            document_again(connection, issuer, number)
            for (number,) in connection.execute(numbers).fetchall()
        ]

    assert [each.key for each in made if each.kept != each.again] == []
    assert any("-CN-" in each.key for each in made)
    assert len(made) > 100


def test_a_row_that_says_otherwise_than_was_issued_is_told(demo_copy: str) -> None:
    with connect(demo_copy) as connection, closing(InvoiceIssuer(demo_copy)) as issuer:
        right = verify_documents(connection, issuer, lambda _done, _whole: None)
        connection.execute("SET session_replication_role = replica")
        changed = "UPDATE issued_invoice SET {} WHERE number = %s"
        dearer = (
            "net_minor = net_minor + 1, gross_minor = gross_minor + 1, due_minor = due_minor + 1"
        )
        connection.execute(changed.format(dearer), (SMALL,))
        connection.execute(changed.format(f"customer = 'p-{'0' * 32}'"), (LARGE,))
        found = verify_documents(connection, issuer, lambda _done, _whole: None)
        ask_for(connection, AGAIN_KIND, AgainWish(SMALL), subject=SMALL, by="ann", at=NOW)
        taken = take_job(connection, {AGAIN_KIND}, runner="a test", seconds=60, at=NOW)
        assert taken is not None
        answer = make_again(connection, taken.parameters, JobProgress(connection, taken))

    assert right.wrong == 0
    assert [(each.number, each.what) for each in found.shown] == [
        (SMALL, "booked"),
        (LARGE, "booked"),
    ]
    assert answer.booked_otherwise == ("net_minor", "gross_minor", "due_minor")
    assert answer.document.is_same
    assert not answer.is_right


def test_a_rating_whose_facts_were_taken_away_is_told(demo_copy: str) -> None:
    with connect(demo_copy) as connection:
        shown = show_invoice(connection, LARGE)
        named = [SessionRevision(each.session_id, each.revision) for each in shown.sessions[:3]]
        decisions = rated_sessions(connection, named)
        connection.execute("SET session_replication_role = replica")
        gone = "SELECT station_id, transaction_ref FROM session WHERE session_id = %s"
        connection.execute(
            f"DELETE FROM fact WHERE (station_id, transaction_ref) = ({gone})",
            (named[0].session_id,),
        )
        made = list(ratings_again(connection, decisions))

    assert len(made) == len(named)
    compared = [each for each in made if not isinstance(each, NotComparedError)]
    assert [each.key for each in compared if each.kept != each.again] == [named[0].session_id]


def test_of_a_document_of_very_many_sessions_the_sums_alone_are_read(demo_dsn: str) -> None:
    with connect(demo_dsn) as connection, PostgresEventLog(demo_dsn) as log:
        whole = show_invoice(connection, LARGE)
        shown = show_invoice(connection, LARGE, sessions_max=len(whole.sessions) - 1)
        with pytest.raises(LongDocumentError, match="explain HC-2026-000109 LINE"):
            explain(connection, log, LARGE, 1, sessions_max=len(whole.sessions) - 1)
        found = explain(connection, log, LARGE, 1, sessions_max=len(whole.sessions))

    assert (shown.sessions, [each for each in shown.lines if not each.is_rounding]) == ((), [])
    assert (shown.vat, shown.due_minor, shown.buyer) == (whole.vat, whole.due_minor, whole.buyer)
    assert [each.line for each in found.lines] == [whole.lines[0]]

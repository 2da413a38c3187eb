"""Documents made again: each of the demo's month is what it was, and what was changed is told."""

from __future__ import annotations

from contextlib import closing

import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer
from ledger.rating.decisions import SessionRevision
from projections.audit.trail import show_invoice
from projections.replay.one_document import NotComparedError, document_again, ratings_again

pytestmark = pytest.mark.timeout(600)
LARGE = "HC-2026-000109"


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

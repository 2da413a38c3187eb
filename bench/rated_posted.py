"""`rated_posted`, `documents_of_100`, `invoice_ms`: from the log into the journal, and onto paper.

Sessions of 400 stations, each half an hour from its start over one reading to its stop, are worked
off into decisions, lines and balanced entries: sessions a CPU second of worker and PostgreSQL
together. Documents are then issued and booked, without PDF: of a hundred sessions each, and of one;
each against one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from bench.peers.worked_log import cpu_seconds, declare, empty_log, fill, worked_off
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.booking import DOCUMENTS_AT_ONCE
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.tokens import Token
from ledger.rating.decisions import SessionRated
from tests.depot import NOON, declared, keep_decisions, rated, session

_SESSIONS: Final = 20_000
_READINGS: Final = 1
_STEP_S: Final = 900
_LINES_A_RECORD: Final = 100
_AT_LEAST: Final = 1_500.0
_INVOICES: Final = 2_000
_DOCUMENTS: Final = 50
_A_DOCUMENT: Final = 100
_IN_JANUARY: Final = datetime(2027, 1, 4, tzinfo=UTC)
_FLEET: Final = Customer(details="A fleet", invoicing=Invoicing.PER_MONTH)
_ONE_BY_ONE: Final = "one after the other"


def rows(_seconds: float) -> list[Row]:
    """Measure all rows, each once."""
    of_100, of_one = _documents(), _invoices()
    return [
        _rated(),
        beside(
            "documents_of_100",
            1 / of_100[DOCUMENTS_AT_ONCE],
            "documents of 100 sessions per CPU second, issued and booked, without PDF",
            _ONE_BY_ONE,
            1 / of_100[1],
        ),
        beside(
            "invoice_ms",
            1000 * of_one[DOCUMENTS_AT_ONCE],
            "CPU ms of issuing and booking an invoice of one session, without PDF",
            _ONE_BY_ONE,
            1000 * of_one[1],
            is_cost=True,
        ),
    ]


def _rated() -> Row:
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)))
        lines = mixed(_SESSIONS * (_READINGS + 2), readings=_READINGS, step_s=_STEP_S)
        fill(postgres, lines, lines_a_record=_LINES_A_RECORD)
        _, spent = worked_off(postgres, "rated")
        with connect(postgres.dsn, tables="rated") as connection:
            [(posted,)] = connection.execute("SELECT count(*) FROM journal_entry").fetchall()
    return beside(
        "rated_posted",
        posted / spent,
        f"sessions of {_READINGS + 2} lines rated and posted per CPU second, log to journal",
        "at least",
        _AT_LEAST,
    )


def _documents() -> dict[int, float]:
    """Return the seconds that a document of a hundred sessions takes, by the size of a batch."""
    customers = range(_DOCUMENTS)
    declarations = declared(
        *((Kind.CUSTOMER, f"fleet {n}", _FLEET, BEGINNING) for n in customers),
        *((Kind.TOKEN, f"token {n}", Token(customer=f"fleet {n}"), BEGINNING) for n in customers),
    )
    decisions = [
        rated(session(number, token_uid=f"token {number % _DOCUMENTS}"), declarations)
        for number in range(1, _DOCUMENTS * _A_DOCUMENT + 1)
    ]
    return _issued(decisions, declarations, at=_IN_JANUARY, documents=_DOCUMENTS)


def _invoices() -> dict[int, float]:
    """Return the seconds that an invoice of one session takes, by the size of a batch."""
    declarations = declared()
    decisions = [rated(session(number), declarations) for number in range(1, _INVOICES + 1)]
    return _issued(decisions, declarations, at=NOON, documents=_INVOICES)


def _issued(
    decisions: Sequence[SessionRated], declarations: Declarations, *, at: datetime, documents: int
) -> dict[int, float]:
    spent = {}
    for at_once in (1, DOCUMENTS_AT_ONCE):
        with empty_log() as postgres, connect(postgres.dsn) as connection:
            keep_decisions(connection, decisions)
            with InvoiceIssuer(postgres.dsn) as issuer:
                before = cpu_seconds(postgres)
                numbers = issue_due(connection, issuer, declarations, up_to=at, at_once=at_once)
                spent[at_once] = (cpu_seconds(postgres) - before) / documents
        assert len(numbers) == documents, len(numbers)
    return spent

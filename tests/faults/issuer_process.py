"""A process that issues what is due, again and again, until somebody kills it."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime, timedelta

import psycopg
from eventsourcing.persistence import PersistenceError

from ledger.database import connect
from ledger.invoices import issuing
from ledger.invoices.issuer import InvoiceIssuer, IssuingContendedError
from ledger.invoices.issuing import issue_due
from tests.depot import declared

MOMENTS = [datetime(2026, 12, 22, tzinfo=UTC) + timedelta(days=days) for days in range(14)]
"""The days that it issues on, of two years, in no order: as partitions would lag."""


def issue_for_ever(dsn: str, seed: int, *, alone: bool) -> None:
    """Issue with batches of any size; unless *alone*, whatever others do at the same time."""
    chance = random.Random(seed)
    if not alone:
        # Everybody has a lock of his own: the saves alone decide who gets which number.
        issuing.ISSUING_LOCK = os.getpid()  # type: ignore[misc]
    declarations = declared()
    # Also a backend that was ended is a rollback: it is taken up again where it is.
    while True:
        try:
            with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
                while True:
                    issue_due(
                        connection,
                        issuer,
                        declarations,
                        up_to=chance.choice(MOMENTS),
                        at_once=chance.choice((1, 2, 5, 20)),
                    )
                    time.sleep(0.001)
        except (psycopg.OperationalError, PersistenceError, IssuingContendedError):
            continue

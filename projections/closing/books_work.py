"""The books held against themselves as long work: replayed, counted, hashed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import Connection

from ledger.database import dsn_of
from ledger.invoices.issuer import InvoiceIssuer
from ledger.jobs.asking import jobs_of, result_of
from ledger.jobs.job import Job, JobState
from projections.balances.document_numbers import NumberReport, given_by, number_report
from projections.documents.keeping.verifying import DocumentsVerified, verify_documents
from projections.energy.keeper import EnergyKeeper
from projections.replay.replay import ReplayReport

REPLAY_LOG: Final = "replay_log"
CHECK_BOOKS: Final = "check_books"
ALL_BOOKS: Final = "all books"
"""What both kinds of job are about."""
_LOOKED_BACK: Final = 20
Progress = Callable[[int, int], None]


class ReplayedOtherwise(msgspec.Struct, frozen=True, kw_only=True):
    """Something that came out of a replay otherwise; or not at all, or is kept and came not.

    Without its content, which may name persons: `wattledger replay --check` shows that.
    """

    what: str
    key: str
    is_kept: bool
    is_again: bool


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that is over. `compared` are counts by what was compared."""

    at: datetime
    lines: int
    compared: dict[str, int]
    differences: int
    shown: tuple[ReplayedOtherwise, ...]


class BooksChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at all documents found; `stations` had energy that was not counted before."""

    at: datetime
    stations: int
    numbers: NumberReport
    documents: DocumentsVerified


class LastWork(NamedTuple):
    """The newest jobs of a kind, and the result of the last one that is done."""

    jobs: tuple[Job, ...]
    done: Job | None
    result: bytes | None

    @property
    def newest(self) -> Job | None:
        """Return the job that was asked for last."""
        return self.jobs[0] if self.jobs else None


def replayed(report: ReplayReport, at: datetime) -> Replayed:
    """Return what is kept of a replay."""
    return Replayed(
        at=at,
        lines=report.lines,
        compared=report.compared_by_kind,
        differences=report.differences,
        shown=tuple(
            ReplayedOtherwise(
                what=each.what,
                key=each.key,
                is_kept=each.kept is not None,
                is_again=each.again is not None,
            )
            for each in report.shown
        ),
    )


def check_books(connection: Connection[Any], *, at: datetime, progress: Progress) -> BooksChecked:
    """Count energy that came, look for gaps in the numbers, hash every document.

    *connection* is in no transaction.
    """
    stations = EnergyKeeper(connection).take_in()
    with InvoiceIssuer(dsn_of(connection)) as issuer:
        numbers = number_report(connection, given_by(issuer))
        documents = verify_documents(connection, issuer, progress)
    return BooksChecked(at=at, stations=stations, numbers=numbers, documents=documents)


def last_work(connection: Connection[Any], kind: str) -> LastWork:
    """Return the newest jobs of a kind, whoever asked for them."""
    jobs = tuple(jobs_of(connection, kind, limit=_LOOKED_BACK))
    done = next((each for each in jobs if each.state is JobState.DONE), None)
    result = result_of(connection, done.number) if done else None
    return LastWork(jobs=jobs, done=done, result=result)

"""The journal: entries whose postings balance per currency, or that do not exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.database import array_text
from ledger.errors import LedgerError
from ledger.rating.decisions import SessionRevision

_COPY: LiteralString = (
    "COPY journal_entry (entry_id, legal_entity, booked_at, period, original_period, session_id,"
    " revision, accounts, parties, currencies, amounts) FROM STDIN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One leg: a debit where `amount_minor` is positive, a credit where it is negative.

    `party` is who owes or is owed ("" where nobody in particular), in minor units of `currency`.
    """

    account: str
    party: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A balanced set of postings.

    `entry_id` is its cause ("rated:<session id>", with "/2" behind it for revision 2, and
    "invoice:<number>"), so that the same cause cannot post twice. `session`: which decision it
    follows from; None for an invoice.

    `original_period` is the month ("2026-03", in the legal entity's calendar) that it is about,
    `period` the one in whose books it stands (`ledger.books.periods`); "": the original one.
    """

    entry_id: str
    legal_entity: str
    booked_at: datetime
    original_period: str
    postings: tuple[Posting, ...]
    session: SessionRevision | None = None
    period: str = ""

    def __post_init__(self) -> None:
        totals: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            totals[posting.currency] += posting.amount_minor
        # Here and in the database: an entry that does not balance must not exist for a moment.
        for currency, total in totals.items():
            if total != 0:
                raise UnbalancedEntryError(self.entry_id, total, currency)
        if not self.postings:
            raise EmptyEntryError(self.entry_id)


def store_entries(connection: Connection[Any], entries: Sequence[JournalEntry]) -> None:
    """Append *entries* within the caller's transaction.

    The database refuses an entry that does not balance or was posted before.
    """
    if not entries:
        return
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for entry in entries:
            legs = entry.postings
            row = (
                entry.entry_id,
                entry.legal_entity,
                entry.booked_at,
                entry.period or entry.original_period,
                entry.original_period,
                *(entry.session or (None, None)),
                array_text(leg.account for leg in legs),
                array_text(leg.party for leg in legs),
                array_text(leg.currency for leg in legs),
                array_text(str(leg.amount_minor) for leg in legs),
            )
            copy.write_row(row)


class UnbalancedEntryError(LedgerError):
    """Debits and credits of one entry differ."""

    def __init__(self, entry_id: str, total: int, currency: str) -> None:
        super().__init__(f"entry {entry_id} is off by {total} minor units {currency}")
        self.entry_id, self.total, self.currency = entry_id, total, currency


class EmptyEntryError(LedgerError):
    """An entry without postings says nothing."""

    def __init__(self, entry_id: str) -> None:
        super().__init__(f"entry {entry_id} has no postings")
        self.entry_id = entry_id

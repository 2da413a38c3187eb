"""What the last looks at the books found, cut to what a person may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.shapes import read_stored
from ledger.users.roles import Reach
from projections.balances.document_numbers import NumberedSeries, SeriesBreak
from projections.closing.books_work import (
    CHECK_BOOKS,
    REPLAY_LOG,
    BooksChecked,
    LastWork,
    Replayed,
    ReplayedOtherwise,
    last_work,
)
from projections.console.links import invoice_link, session_link
from projections.documents.keeping.verifying import WrongDocument

COMPARED: Final = {
    "decision": "Decisions",
    "rated line": "Rated lines",
    "allowance use": "Uses of allowances",
    "allowance sum": "Sums of allowances",
    "journal entry": "Journal entries",
    "posting": "Postings",
    "accrual": "Accruals",
    "period mark": "Marks of closed months",
    "line set aside": "Lines set aside",
    "settlement hash": "Hashes of settlements",
    "settlement with a partner": "Settlements with partners",
    "settlement posting": "Postings of settlements",
    "movement hash": "Hashes of payments",
    "movement posting": "Postings of payments",
    "open invoice": "Open invoices",
    "payout": "Payouts",
    "paid out": "Payments in payouts",
    "money at a provider": "Money at a payment provider",
    "unmatched money": "Money that nobody has explained",
    "invoice document": "Invoices and credit notes, byte for byte",
    "invoice hash": "Hashes of invoices and credit notes",
    "invoice row": "Totals of invoices and credit notes",
    "invoice postings": "Postings of invoices and credit notes",
    "invoice period": "Months of invoices and credit notes",
    "feed": "Numbers in the feed",
}
"""What a replay compares, in English; what is not here is shown by its own name."""
_SESSIONS: Final = {"decision", "rated line", "accrual"}


class Checks(NamedTuple):
    """What was found last, and what is under way; None where nobody looked.

    `series` and `breaks` are those of legal entities within reach, `wrong` documents too.
    """

    replay: Replayed | None
    replay_work: LastWork
    books: BooksChecked | None
    books_work: LastWork
    series: Sequence[NumberedSeries]
    breaks: Sequence[SeriesBreak]
    wrong: Sequence[WrongDocument]

    @property
    def is_any_missing(self) -> bool:
        """Say whether a number is missing, given twice, or out of order."""
        return not all(each.is_whole for each in self.series)


def checks_of(connection: Connection[Any], reach: Reach) -> Checks:
    """Return what the last looks found, for who reaches so far."""
    replay_work, books_work = (last_work(connection, kind) for kind in (REPLAY_LOG, CHECK_BOOKS))
    replay = books = None
    if replay_work.result is not None:
        replay = read_stored(replay_work.result, Replayed)
    if books_work.result is not None:
        books = read_stored(books_work.result, BooksChecked)
    series = (
        [each for each in books.numbers.series if reach.covers(each.legal_entity)] if books else []
    )
    # A break does not name its legal entity: who sees not all of them sees the series.
    breaks = books.numbers.breaks if books and reach.is_everywhere else ()
    wrong = (
        [each for each in books.documents.shown if reach.covers(each.legal_entity)] if books else []
    )
    return Checks(replay, replay_work, books, books_work, series, breaks, wrong)


def difference_address(each: ReplayedOtherwise) -> str:
    """Return where what differs is shown, "" where nowhere."""
    if each.what in _SESSIONS:
        return session_link(each.key.split(" ", maxsplit=1)[0])
    if each.what.startswith("invoice"):
        return invoice_link(each.key)
    return ""

"""The journal over HTTP: what was booked, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.within import READS_BOOKS, Asked, one_legal_entity
from deploy.interface.books import Newest, Pool, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.declared.declarations import Declarations
from ledger.desk.closing.legal_entity import the_legal_entity
from projections.finding.entries import BehindEntry, EntryWish, find_entries
from projections.journal.entries import BookedEntry

MONTH: Final = r"^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])$"
Month = Annotated[
    str | None,
    QueryParameter(pattern=MONTH, description="In whose books it stands: 2026-03"),
]


class JournalPosting(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of an entry: a debit is above 0, a credit below. `party` "": nobody in particular."""

    account: str
    party: str
    amount: str
    currency: str


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry: `entry` is its cause ("rated:SESSION", "invoice:NUMBER"); its postings come to 0.

    `booked_on` is a day of the legal entity's calendar, `period` the month in whose books it
    stands, `original_period` the one that it is about.
    """

    entry: str
    booked_on: date
    booked_at: datetime
    legal_entity: str
    period: str
    original_period: str
    session: str | None
    revision: int | None
    postings: list[JournalPosting]


class JournalRows(msgspec.Struct, frozen=True):
    """Some entries, and where the next ones begin; null: there are none."""

    items: list[JournalRow]
    next: str | None


def entry_filter(
    legal_entity: Text = None,
    booked_from: Annotated[date | None, QueryParameter(description="On this day or later")] = None,
    booked_until: Annotated[date | None, QueryParameter(description="Before this day")] = None,
    period: Month = None,
) -> EntryWish:
    """Return which entries a query asks for; the legal entity is still to be looked up."""
    return EntryWish(legal_entity or "", booked_from, booked_until, period)


Wanted = NamedDependency[EntryWish]
FILTERED: Final = {"wanted": Provide(entry_filter, sync_to_thread=False)}


class JournalController(Controller):
    """What was booked."""

    tags = ("books",)

    @get("/journal", opt=READS_BOOKS, dependencies=FILTERED, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        wanted: Wanted,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> JournalRows:
        """Return entries of a legal entity, in the order in which they were booked."""
        behind = None if cursor is None else BehindEntry(*key_of(cursor, tuple[datetime, str]))
        with pool.connection() as connection:
            declared = newest.of(connection)
            whose = whose_books(request, declared, wanted.legal_entity or None)
            wish = wanted._replace(legal_entity=whose)
            found = find_entries(connection, declared, wish, limit=limit + 1, behind=behind).entries
        shown, more = cut(found, limit, lambda each: (each.booked_at, each.entry))
        return JournalRows([_row(each) for each in shown], more)


ROUTES: Final[Sequence[type[Controller]]] = (JournalController,)


def whose_books(request: Asked, declared: Declarations, given: str | None) -> str:
    """Return whose books are asked for: the only one's, where none is given.

    Raises:
        UndeclaredEntityError: If there is no such legal entity, or it is not clear which one.
    """
    return the_legal_entity(declared, one_legal_entity(request, given))


def _row(entry: BookedEntry) -> JournalRow:
    return JournalRow(
        entry=entry.entry,
        booked_on=entry.booked_on,
        booked_at=entry.booked_at,
        legal_entity=entry.legal_entity,
        period=entry.period,
        original_period=entry.original_period,
        session=entry.session,
        revision=entry.revision,
        postings=[
            JournalPosting(
                account=each.account,
                party=each.party,
                amount=amount_text(each.amount_minor, each.currency),
                currency=each.currency,
            )
            for each in entry.postings
        ],
    )

"""The entries of the journal in the order they were booked, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from projections.journal.days import IN_DAYS, BookDays
from tariffs.currencies import currency_exponent

_AT_ONCE: Final = 1_000
COLUMNS: LiteralString = (
    "SELECT entry_id, legal_entity, booked_at, period, original_period, session_id, revision,"
    " accounts, parties, currencies, amounts "
)
_ENTRIES: LiteralString = COLUMNS + IN_DAYS + ' ORDER BY booked_at, entry_id COLLATE "C"'
_COUNT: LiteralString = "SELECT count(*)" + IN_DAYS
_ACCOUNTS: LiteralString = "SELECT DISTINCT legal_entity, unnest(accounts)" + IN_DAYS
_NAMES: LiteralString = """
SELECT subject, name FROM subject WHERE subject = ANY (%s) AND name IS NOT NULL
"""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A posting: `amount_minor` in whole minor units, a debit positive, a credit negative.

    `party`: who owes or is owed, by name until that is erased; "" where nobody in particular.
    """

    account: str
    party: str
    currency: str
    amount_minor: int

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with its currency's places: 12.30, not 12.3."""
        return Decimal(self.amount_minor).scaleb(-currency_exponent(self.currency))


class BookedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it was booked, and on which day in its legal entity's calendar.

    `entry` is its cause: "rated:SESSION", "reversed:SESSION", "invoice:NUMBER", "credit:NUMBER".
    `session` and `revision`: which decision it follows from; null for a document's. `period` is the
    month in whose books it stands, `original_period` the one that it is about.
    """

    booked_on: date
    booked_at: datetime
    entry: str
    legal_entity: str
    period: str
    original_period: str
    session: str | None
    revision: int | None
    postings: tuple[Leg, ...]


def booked_entries(connection: Connection[Any], days: BookDays) -> Iterator[BookedEntry]:
    """Yield the entries of *days* by time and then by cause; inside a transaction."""
    with connection.cursor("journal") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_ENTRIES, days.asked())
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from as_booked(connection, rows, days)


def as_booked(
    connection: Connection[Any], rows: Sequence[Sequence[Any]], days: BookDays
) -> list[BookedEntry]:
    """Return *rows* of `COLUMNS` as entries, with parties by name, in the calendars of *days*."""
    parties = sorted({party for row in rows for party in row[8] if party})
    names: dict[str, str] = dict(connection.execute(_NAMES, (parties,)).fetchall())
    return [_entry(row, names, days) for row in rows]


def entry_count(connection: Connection[Any], days: BookDays) -> int:
    """Return how many entries *days* have."""
    [(count,)] = connection.execute(_COUNT, days.asked()).fetchall()
    return int(count)


def accounts_of(connection: Connection[Any], days: BookDays) -> list[str]:
    """Return the accounts on which anything was booked in *days*, sorted."""
    return sorted({account for _, account in booked_accounts(connection, days)})


def booked_accounts(connection: Connection[Any], days: BookDays) -> list[tuple[str, str]]:
    """Return the legal entities and accounts on which anything was booked in *days*, sorted."""
    return sorted(
        (legal_entity, account)
        for legal_entity, account in connection.execute(_ACCOUNTS, days.asked())
    )


def _entry(row: Sequence[Any], names: dict[str, str], days: BookDays) -> BookedEntry:
    entry_id, legal_entity, booked_at, period, original, session_id, revision, *columns = row
    return BookedEntry(
        booked_on=days.day_of(legal_entity, booked_at),
        booked_at=booked_at,
        entry=entry_id,
        legal_entity=legal_entity,
        period=period,
        original_period=original,
        session=session_id,
        revision=revision,
        postings=tuple(
            Leg(
                account=account,
                party=names.get(party, party),
                currency=currency,
                amount_minor=amount_minor,
            )
            for account, party, currency, amount_minor in zip(*columns, strict=True)
        ),
    )

"""Movements of money in a replay: posted again from their rows, by the thousand.

What a movement says was told from outside and is taken from its row; that nobody changed it since
says its hash in the feed. Also what nothing led to is named: entries, numbers in the feed, and the
rows of open invoices, which are made again from the books.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final, LiteralString

from psycopg import Connection, sql

from ledger.errors import LedgerError
from ledger.payments.movement import MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.recording import hash_movement, movements
from projections.replay.comparison import Comparison

PAGE: Final = 1_000
ENTRY_IDS: Final[LiteralString] = (
    "^(received|refunded|refund_failed|disputed|dispute_won|dispute_lost|paid_out|payout_failed"
    "|banked|matched):"
)
"""The entries that movements lead to: a kind (`MoneyKind`), then source and reference."""
_LAST: LiteralString = "SELECT coalesce(max(number), 0) FROM movement"
_ENTRIES: LiteralString = """
SELECT entry_id, legal_entity, booked_at, period, original_period, accounts, parties, currencies,
    amounts
FROM journal_entry WHERE entry_id = ANY (%s)
"""
_HASHES: LiteralString = """
SELECT subject, sha256 FROM feed_entry WHERE kind = 'moved' AND revision = 1 AND subject = ANY (%s)
"""
_ALONE: LiteralString = """
SELECT 'movement posting', entry_id FROM journal_entry WHERE entry_id ~ %s AND NOT EXISTS (
    SELECT FROM movement
    WHERE kind = split_part(entry_id, ':', 1)
    AND source || '/' || reference = substr(entry_id, strpos(entry_id, ':') + 1)
) UNION ALL
SELECT 'movement hash', subject FROM feed_entry
WHERE kind = 'moved' AND NOT EXISTS (SELECT FROM movement WHERE number::text = subject)
UNION ALL
SELECT 'movement', number::text FROM allotment
WHERE NOT EXISTS (SELECT FROM movement WHERE movement.number = allotment.number)
ORDER BY 1, 2
"""
_NUMBERS: LiteralString = """
SELECT number FROM issued_invoice WHERE credits IS NULL AND number > %s ORDER BY number LIMIT %s
"""
_KEPT_OPEN: LiteralString = """
SELECT number, open_minor, party, account, customer FROM open_invoice WHERE number = ANY (%s)
"""


def compare_movements(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield what each movement posted beside what it should, and what none led to.

    *connection* is in no transaction; for this one its tables are those of the books.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(sql.SQL("SET LOCAL search_path = books, inputs"))
        [(last,)] = connection.execute(_LAST).fetchall()
        for start in range(1, last + 1, PAGE):
            yield from _page(connection, movements(connection, range(start, start + PAGE)))
        for what, key in connection.execute(_ALONE, (ENTRY_IDS,)).fetchall():
            yield Comparison(what, key, "kept", None)
        yield from _open_invoices(connection)


def _page(connection: Connection[Any], found: list[MoneyMovement]) -> Iterator[Comparison]:
    asked = [each.entry_id for each in found]
    kept = {row[0]: _kept(row[1:]) for row in connection.execute(_ENTRIES, (asked,))}
    numbers = [str(each.number) for each in found]
    hashes = dict(connection.execute(_HASHES, (numbers,)).fetchall())
    for movement in found:
        number, entry_id = str(movement.number), movement.entry_id
        yield Comparison("movement hash", number, hashes.get(number), hash_movement(movement))
        yield Comparison("movement posting", entry_id, kept.get(entry_id), _made(movement))


def _open_invoices(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield which invoices are kept as open beside which are: where either says so."""
    after = ""
    while rows := connection.execute(_NUMBERS, (after, PAGE)).fetchall():
        numbers = [number for (number,) in rows]
        after = numbers[-1]
        kept = {row[0]: row[1:] for row in connection.execute(_KEPT_OPEN, (numbers,))}
        for item in open_items(connection, numbers):
            if item.number in kept or item.open_minor:
                made = item.open_minor, item.party, item.account, item.customer
                again = str(made) if item.open_minor else None
                was = str(kept[item.number]) if item.number in kept else None
                yield Comparison("open invoice", item.number, was, again)


def _kept(row: tuple[Any, ...]) -> str:
    legal_entity, booked_at, *rest = row
    return str((legal_entity, booked_at.astimezone(UTC), *rest))


def _made(movement: MoneyMovement) -> str:
    try:
        entry = movement.entry()
    except LedgerError as error:
        return str(error)
    legs = entry.postings
    return _kept(
        (
            entry.legal_entity,
            entry.booked_at,
            entry.period,
            entry.original_period,
            [leg.account for leg in legs],
            [leg.party for leg in legs],
            [leg.currency for leg in legs],
            [leg.amount_minor for leg in legs],
        )
    )

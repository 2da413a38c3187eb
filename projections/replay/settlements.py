"""Settlements with partners in a replay: reckoned again from what they settle, posted again.

Which CDRs a settlement took, and in which month's books it stands, was chosen when it was agreed to
and is taken from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from hashlib import sha256
from typing import Any, LiteralString

import msgspec
from psycopg import Connection, sql

from ledger.books.journal import JournalEntry
from ledger.declared.store import load_declarations
from ledger.settlements.candidates import settled_cdrs
from ledger.settlements.entries import posted_before, settlement_entries
from ledger.settlements.netting import settlement_of
from ledger.settlements.statement import CdrSide, Settlement
from projections.replay.comparison import Comparison
from tariffs.model.canonical import canonical_json

_AGREED: LiteralString = """
SELECT number, body, sha256, agreed_at, period FROM inputs.partner_settlement
ORDER BY legal_entity, year, place
"""
_KEPT: LiteralString = """
SELECT entry_id, legal_entity, booked_at, period, original_period, accounts, parties, currencies,
       amounts
FROM books.journal_entry WHERE entry_id ~ '^settlement' ORDER BY entry_id
"""


def compare_settlements(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield what was kept of every agreed settlement beside what it should be.

    *connection* is in no transaction; for this one its tables are those of the books.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(sql.SQL("SET LOCAL search_path = books, inputs"))
        kept = {row[0]: _kept(row[1:]) for row in connection.execute(_KEPT).fetchall()}
        declared = None
        for number, body, hashed, agreed_at, period in connection.execute(_AGREED).fetchall():
            declared = declared or load_declarations(connection)
            yield Comparison("settlement hash", number, hashed.hex(), sha256(body).hexdigest())
            settlement = msgspec.json.decode(body, type=Settlement)
            again = settlement_of(
                settled_cdrs(connection, number, CdrSide.SENT),
                settled_cdrs(connection, number, CdrSide.RECEIVED),
                settlement.terms,
            )
            made = msgspec.structs.replace(again, excluded=settlement.excluded)
            yield Comparison(
                "settlement with a partner", number, body.decode(), canonical_json(made).decode()
            )
            seller = declared.legal_entity(settlement.terms.legal_entity, agreed_at)
            entries = settlement_entries(
                number,
                made,
                posted_before(connection, number, settlement.terms.currency),
                country=seller.country if seller else "",
                booked_at=agreed_at,
                period=period,
            )
            for entry in entries:
                was = kept.pop(entry.entry_id, None)
                yield Comparison("settlement posting", entry.entry_id, was, _made(entry))
        # Booked, and no settlement led to it.
        for entry_id, row in kept.items():
            yield Comparison("settlement posting", entry_id, row, None)


def _kept(row: tuple[Any, ...]) -> str:
    legal_entity, booked_at, *rest = row
    return str((legal_entity, booked_at.astimezone(UTC), *rest))


def _made(entry: JournalEntry) -> str:
    legs = entry.postings
    return _kept(
        (
            entry.legal_entity,
            entry.booked_at,
            entry.period or entry.original_period,
            entry.original_period,
            [leg.account for leg in legs],
            [leg.party for leg in legs],
            [leg.currency for leg in legs],
            [leg.amount_minor for leg in legs],
        )
    )

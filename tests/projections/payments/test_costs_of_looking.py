"""What looking at money costs does not hang on how much was paid before: counted, not timed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from psycopg import Connection

from ledger.database import connect
from ledger.payments.open_items import open_item
from projections.payments.movement_detail import find_payments
from projections.payments.movement_list import MovementFilter, list_movements
from projections.payments.open_list import OpenWish, open_documents, open_sums
from projections.payments.unmatched_list import UnmatchedWish, unmatched_page, unmatched_sums
from tests.depot import NOON
from tests.ledger.payments.bank.bank_books import invoiced

PAID, OPEN, LIMIT = 20_000, 30, 20
ROWS_MAX = 40 * OPEN
LAST = f"WL-{PAID + OPEN:06}"
_BOOKS = (
    """
INSERT INTO issued_invoice (number, place, cause, invoice_id, legal_entity, customer, currency,
    issued_on, issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256)
SELECT 'WL-' || lpad(n::text, 6, '0'), n, 'cause ' || n, gen_random_uuid(), 'depot',
    'c-' || n %% 500, 'EUR', '2026-11-01', '2026-11-01', 400, 76, 476, 0, 476, 'x'
FROM generate_series(1, %(all)s::integer) AS n
""",
    """
INSERT INTO journal_entry (entry_id, legal_entity, booked_at, period, original_period, accounts,
    parties, currencies, amounts)
SELECT 'invoice:WL-' || lpad(n::text, 6, '0'), 'depot', '2026-11-01', '2026-11', '2026-11',
    ARRAY['receivable:invoiced', 'revenue:energy'], ARRAY['c-' || n %% 500, ''],
    ARRAY['EUR', 'EUR'], ARRAY[476, -476] FROM generate_series(1, %(all)s::integer) AS n
""",
    """
INSERT INTO movement (kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, original_period, period)
SELECT 'received', 'stripe', 'ch_' || n, 'depot', 'EUR', 476, '2026-11-02', 'a test', '2026-11',
    '2026-11' FROM generate_series(1, %(paid)s::integer) AS n
""",
    """
INSERT INTO allotment (number, moved_at, place, account, party, document, minor)
SELECT number, happened_at, 1, 'receivable:invoiced', 'c-' || number %% 500,
    'WL-' || lpad(number::text, 6, '0'), 476 FROM movement
""",
    """
INSERT INTO open_invoice SELECT number, legal_entity, customer, customer, 'receivable:invoiced',
    currency, issued_on, issued_on, due_minor FROM issued_invoice WHERE place > %(paid)s
""",
)
_EXPLAINED = 3_000
_UNEXPLAINED = 5
_MONEY = (
    """
INSERT INTO movement (kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, original_period, period)
SELECT 'banked', 'stripe', 'txn_' || n, 'depot', 'EUR', 100, '2026-11-03', 'a test', '2026-11',
    '2026-11' FROM generate_series(1, %(all)s::integer) AS n
""",
    """
INSERT INTO allotment (number, place, account, minor)
SELECT number, 1, 'cash:unmatched', 100 FROM movement WHERE reference LIKE 'txn_%%'
""",
    """
INSERT INTO movement (kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, about, original_period, period)
SELECT 'matched', 'stripe', 'movement:' || number || '/1', 'depot', 'EUR', 0, '2026-11-03',
    'a test', 'movement:' || number, '2026-11', '2026-11'
FROM movement WHERE reference LIKE 'txn_%%' ORDER BY number LIMIT %(explained)s
""",
    """
INSERT INTO allotment (number, place, account, minor)
SELECT number, place, account, minor FROM movement
CROSS JOIN (VALUES (1, 'cash:unmatched', -100), (2, 'income:other', 100)) AS leg
    (place, account, minor) WHERE kind = 'matched'
""",
)
_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
"""
LOOKS: dict[str, Callable[[Connection[Any]], object]] = {
    "the newest movements": lambda c: list_movements(c, MovementFilter(), limit=LIMIT),
    "a customer's": lambda c: list_movements(c, MovementFilter("c-7"), limit=LIMIT),
    "an invoice's": lambda c: list_movements(c, MovementFilter(document="WL-000077"), limit=LIMIT),
    "nobody's": lambda c: list_movements(c, MovementFilter(is_unmatched=True), limit=LIMIT),
    "of some day": lambda c: list_movements(
        c, MovementFilter(since=NOON + timedelta(days=9)), limit=LIMIT
    ),
    "of all days": lambda c: list_movements(
        c, MovementFilter(since=NOON - timedelta(days=30)), limit=LIMIT
    ),
    "of a day long ago": lambda c: list_movements(
        c, MovementFilter(since=NOON, until=NOON + timedelta(hours=1)), limit=LIMIT
    ),
    "of a kind that there is not": lambda c: list_movements(
        c, MovementFilter(kind="dispute_lost"), limit=LIMIT
    ),
    "of other legal entities": lambda c: list_movements(
        c, MovementFilter(legal_entities=["nobody"]), limit=LIMIT
    ),
    "what nobody explained": lambda c: unmatched_page(c, UnmatchedWish(), limit=LIMIT),
    "what all that comes to": lambda c: unmatched_sums(c, UnmatchedWish()),
    "a movement": lambda c: find_payments(c, "ch_77"),
    "an invoice": lambda c: find_payments(c, "WL-000077"),
    "nothing": lambda c: find_payments(c, "ch_none"),
    "how an invoice stands": lambda c: open_item(c, LAST),
    "what is open": lambda c: open_documents(c, OpenWish(), limit=LIMIT),
    "what is open of a customer": lambda c: open_documents(c, OpenWish("c-7"), limit=LIMIT),
    "what all of it comes to": lambda c: open_sums(c, OpenWish()),
    "what was open yesterday": lambda c: open_documents(
        c, OpenWish(until=NOON - timedelta(days=1)), limit=LIMIT
    ),
}

_MAY_FIND_NOTHING = {
    "nobody's",
    "of some day",
    "of a day long ago",
    "of a kind that there is not",
    "of other legal entities",
    "nothing",
    "what was open yesterday",
}
"""An index may say so, by the plan, without a row read."""


def test_who_looks_reads_what_is_shown_and_what_is_open(database: str) -> None:
    with invoiced(database, []) as connection:
        for query in _BOOKS:
            connection.execute(query.encode(), {"all": PAID + OPEN, "paid": PAID})
        for query in _MONEY:
            counts = {"all": _EXPLAINED + _UNEXPLAINED, "explained": _EXPLAINED}
            connection.execute(query.encode(), counts)
        connection.execute("ANALYZE")
        found = unmatched_page(connection, UnmatchedWish(), limit=LIMIT)
        assert len(found.rows) == _UNEXPLAINED

    for name, look in LOOKS.items():
        with connect(database) as connection, connection.transaction():
            look(connection)
            [(read,)] = connection.execute(_READ).fetchall()
        assert read <= ROWS_MAX or name == "nobody's", f"{name} read {read} rows"
        assert read or name in _MAY_FIND_NOTHING, f"{name} read nothing"

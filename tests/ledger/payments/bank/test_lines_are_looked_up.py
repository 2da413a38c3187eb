"""What a line costs does not hang on how many invoices there are: counted, not timed."""

from __future__ import annotations

from typing import Any

import psycopg

from ledger.books.open_invoices import keep_open_invoices
from ledger.payments.awaited import awaited_payouts
from ledger.payments.bank.importing import Importing
from ledger.payments.bank.lines import lines_to_match_again
from ledger.payments.bank.matched import match_waiting
from tests.ledger.payments.bank.bank_books import (
    NOW,
    banked_declarations,
    invoiced,
    open_minor,
    put_in,
    waiting,
    wl,
)
from tests.ledger.payments.bank.bank_files import Booked, camt
from tests.ledger.payments.bank.test_partners_and_payouts import pay_out

INVOICES = 12_000
LINES = 1_200
ROWS_A_LINE_MAX = 20
_INVOICES = """
INSERT INTO issued_invoice (number, place, cause, invoice_id, legal_entity, customer, currency,
    issued_on, issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256)
SELECT 'WL-2026-' || lpad(n::text, 6, '0'), n, 'cause ' || n, gen_random_uuid(), 'depot', 'anna',
    'EUR', '2026-11-01', now(), 400, 76, 476, 0, 476, 'x' FROM generate_series(1, %s::integer) AS n
"""
_ENTRIES = """
INSERT INTO journal_entry (entry_id, legal_entity, booked_at, period, original_period, accounts,
    parties, currencies, amounts)
SELECT 'invoice:WL-2026-' || lpad(n::text, 6, '0'), 'depot', now(), '2026-11', '2026-11',
    ARRAY['receivable:invoiced', 'revenue:energy'], ARRAY['anna', ''], ARRAY['EUR', 'EUR'],
    ARRAY[476, -476] FROM generate_series(1, %s::integer) AS n
"""
_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
WHERE relname IN ('issued_invoice', 'journal_entry', 'allotment', 'movement', 'open_invoice',
    'bank_line', 'unmatched_line')
"""


_WAITING_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
WHERE relname IN ('bank_line', 'unmatched_line')
"""


def rows_read(connection: psycopg.Connection[Any], name: str, texts: list[str]) -> int:
    """Import a statement with a line for each of *texts*; return how many rows that read."""
    lines = [Booked(476, text, f"{name}-{turn}") for turn, text in enumerate(texts)]
    with connection.transaction():
        [(before,)] = connection.execute(_READ).fetchall()
        put_in(connection, camt(lines, name=name))
        [(after,)] = connection.execute(_READ).fetchall()
    return int(after) - int(before)


def test_a_line_reads_no_more_rows_than_it_names(database: str) -> None:
    with invoiced(database, []) as connection:
        for query in (_INVOICES, _ENTRIES):
            connection.execute(query, (INVOICES,))
        keep_open_invoices(connection, [wl(number) for number in range(1, INVOICES + 1)])
        connection.execute("ANALYZE")

        named = [wl(1 + turn * 9) for turn in range(LINES)]
        read = rows_read(connection, "1", named)
        assert read <= LINES * ROWS_A_LINE_MAX
        assert open_minor(connection, named[-1]) == 0
        assert rows_read(connection, "2", ["no reference"] * LINES) <= LINES * ROWS_A_LINE_MAX
        assert waiting(connection) == {"no_reference": 476 * LINES}


def test_what_names_nothing_of_ours_is_not_looked_at_again_by_each_import(database: str) -> None:
    with invoiced(database, []) as connection:
        # A table of fewer rows is sooner read whole than looked up in.
        turns = range(5 * LINES)
        unknown = [Booked(100 + turn, "no reference", f"x-{turn}") for turn in turns]
        later = Booked(7, "WL-2026-999999", "y")
        put_in(connection, camt([*unknown, later]))
        connection.execute("ANALYZE")
        pay_out(connection, "po_1Abc", 150)
        importing = Importing(
            connection=connection, declared=banked_declarations(), by="a test", now=NOW
        )
        with connection.transaction():
            assert match_waiting(importing) == 0
            [(read,)] = connection.execute(_WAITING_READ).fetchall()
        awaited = {each.under_way_minor for each in awaited_payouts(connection)}
        again = lines_to_match_again(connection, LINES, awaited)

    # The one that names a document, and the one that a payout comes to.
    assert {each.amount_minor for each in again} == {7, 150}
    assert read <= ROWS_A_LINE_MAX

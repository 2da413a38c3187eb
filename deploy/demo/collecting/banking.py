"""What the demo's customers transfer, and the payout, on the statements of both legal entities.

One line names no document: the top-up that a person had recorded by hand. A person says so.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

from psycopg import Connection

from deploy.demo import top_up
from deploy.demo.collecting.bank_file import BankTransfer, statement_file
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk.paying.match_plans import MatchWish
from ledger.desk.paying.matching import match_line
from ledger.payments.awaited import awaited_payouts
from ledger.payments.bank.files.camt import read_camt
from ledger.payments.bank.importing import Importing, import_statement
from ledger.payments.movement import CLEARING
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT
from tariffs.zones import zone

BY: Final = "mara"
TOP_UP_TEXT: Final = "Guthaben"
# Who pays several invoices at once writes all numbers.
_OPEN: LiteralString = """
SELECT currency, array_agg(number ORDER BY number), sum(open_minor)::bigint
FROM open_invoice WHERE legal_entity = %s AND open_minor > 0
GROUP BY coalesce(customer, number), currency ORDER BY min(number)
"""

_WAITING: LiteralString = "SELECT line FROM unmatched_line ORDER BY line"


def import_statements(connection: Connection[Any], now: datetime) -> int:
    """Have all that is open transferred, and import what the banks say; return how many lines."""
    declared = load_declarations(connection)
    importing = Importing(connection=connection, declared=declared, by=BY, now=now)
    lines = 0
    for key in sorted(declared.keys(Kind.LEGAL_ENTITY)):
        seller = declared.legal_entity(key, now)
        assert seller is not None
        assert seller.bank is not None
        came: dict[str, list[BankTransfer]] = {}
        for currency, transfer in _transfers(connection, key):
            came.setdefault(currency, []).append(transfer)
        day = now.astimezone(zone(seller.time_zone)).date()
        for currency, transfers in sorted(came.items()):
            content = statement_file(seller.bank.iban, currency, day, transfers)
            for statement in read_camt(io.BytesIO(content), f"{key} {day}"):
                lines += import_statement(importing, statement).lines
    _say_what_waits(connection, now)
    return lines


def _say_what_waits(connection: Connection[Any], now: datetime) -> None:
    """Say of the line that waits what a person knows: it is the top-up of the month's begin."""
    for (name,) in connection.execute(_WAITING).fetchall():
        match_line(connection, MatchWish(name, account=CLEARING), by=BY, at=now)


def _transfers(
    connection: Connection[Any], legal_entity: str
) -> Iterator[tuple[str, BankTransfer]]:
    for number, (currency, numbers, minor) in enumerate(
        connection.execute(_OPEN, (legal_entity,)).fetchall(), 1
    ):
        yield currency, BankTransfer(minor, f"Payer {number}", f"Rechnung {' '.join(numbers)}")
    for payout in awaited_payouts(connection, legal_entity):
        text = f"STRIPE {payout.payout_id}"
        yield payout.currency, BankTransfer(payout.under_way_minor, "Stripe Payments", text)
    if legal_entity == top_up.LEGAL_ENTITY:
        yield top_up.CURRENCY, BankTransfer(_minor(top_up.AMOUNT), "Payer 0", TOP_UP_TEXT)


def _minor(amount: Decimal) -> int:
    return int(amount.scaleb(currency_exponent(top_up.CURRENCY), EXACT))

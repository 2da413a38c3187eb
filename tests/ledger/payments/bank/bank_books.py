"""Books with a bank account and invoices to pay: for tests of statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg import Connection

from ledger.books.accounts import CASH_CLEARING, PREPAYMENTS, RECEIVABLE
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.addresses import BankAccount
from ledger.payments.bank.files.statement import BankStatement
from ledger.payments.bank.importing import Imported, Importing, import_statement
from ledger.payments.movement import UNMATCHED, bank_source, cash_account
from ledger.payments.open_items import open_items
from tests.depot import NOON, THINGS, changes, keep_decisions, rated, session
from tests.ledger.payments.bank.bank_files import IBAN

NOW = NOON + timedelta(days=20)
CASH = cash_account(bank_source(IBAN))


def with_bank() -> list[Change]:
    """Return the depot's master data, its legal entity with a bank account."""
    return [_banked(each) for each in changes()]


def banked_declarations() -> Declarations:
    """Return them as a snapshot."""
    return Declarations(
        Declaration(number, each.kind, each.key, each.valid_from or NOON, each.entity)
        for number, each in enumerate(with_bank(), 1)
    )


def _banked(change: Change) -> Change:
    if (change.kind, change.key) != (Kind.LEGAL_ENTITY, "depot"):
        return change
    entity: Any = THINGS[Kind.LEGAL_ENTITY, "depot"]
    return Change(
        kind=change.kind,
        key=change.key,
        entity=msgspec.structs.replace(entity, bank=BankAccount(iban=IBAN)),
        valid_from=change.valid_from,
    )


@contextmanager
def invoiced(dsn: str, tokens: Sequence[str]) -> Iterator[Connection[Any]]:
    """Yield books in which each of *tokens* has an invoice of 4.76, WL-2026-000001 and on."""
    declared = banked_declarations()
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        with connection.transaction():
            declare(connection, with_bank(), by="a test", at=NOON)
        sessions = [
            rated(session(number, token_uid=token, started_at=NOON), declared)
            for number, token in enumerate(tokens, 1)
        ]
        if sessions:
            keep_decisions(connection, sessions)
        assert len(issue_due(connection, issuer, declared, up_to=NOON)) == len(tokens)
        yield connection


def put_in(
    connection: Connection[Any], *statements: BankStatement, by: str = "a test"
) -> list[Imported]:
    """Import *statements*, one after the other."""
    importing = Importing(connection=connection, declared=banked_declarations(), by=by, now=NOW)
    return [import_statement(importing, each) for each in statements]


def balances(connection: Connection[Any]) -> dict[str, int]:
    """Return what stands on the accounts that bank lines move, by the journal."""
    found = Counter[str]()
    rows = connection.execute(
        "SELECT account, sum(amount_minor)::bigint FROM posting WHERE account = ANY (%s) "
        "GROUP BY account",
        ([CASH, CASH_CLEARING, PREPAYMENTS, RECEIVABLE, UNMATCHED],),
    )
    found.update(dict(rows.fetchall()))
    return {account: minor for account, minor in found.items() if minor}


def open_minor(connection: Connection[Any], number: str) -> int:
    """Return what is open of an invoice."""
    [item] = open_items(connection, [number])
    return item.open_minor


def wl(number: int) -> str:
    """Return the number of an invoice."""
    return f"WL-2026-{number:06}"


def waiting(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return what waits for a person, by its reason."""
    rows = connection.execute(
        "SELECT reason, sum(left_minor)::bigint FROM unmatched_line GROUP BY reason"
    )
    return dict(rows.fetchall())


MIDNIGHT = datetime(2026, 11, 9, 23, tzinfo=UTC)
"""The beginning of 10 November in Berlin."""

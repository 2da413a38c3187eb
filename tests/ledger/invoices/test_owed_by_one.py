"""A document is owed by one: its customer, or a partner whose tokens the customer pays for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from ledger.books.accounts import PARTNER_RECEIVABLE, RECEIVABLE
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.tokens import Token, TokenKind
from ledger.payments.movement import Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.recording import record_movement
from projections.balances.trial import trial_balance
from projections.payments.open_list import OpenWish, open_sums
from projections.replay.invoices import InvoiceComparison
from tests.depot import NOON, changes, keep_decisions, rated, session

DECEMBER = datetime(2026, 12, 1, 12, tzinfo=UTC)
JANUARY = datetime(2027, 1, 2, tzinfo=UTC)
TOKENS = ("fleet-1", "tnm-1", "mrl-1", "tnm-2")
"""The fleet's own, and of two partners whose tokens it pays for."""


def known(
    connection: psycopg.Connection[Any],
    invoicing: Invoicing = Invoicing.PER_MONTH,
    threshold: Decimal | None = None,
) -> Declarations:
    """Declare the depot, and a fleet that pays for tokens of partners, too."""
    fleet = Customer(details="Fleet AG", invoicing=invoicing, threshold=threshold)
    wanted = {(each.kind, each.key): each for each in changes()}
    wanted[Kind.CUSTOMER, "fleet"] = Change(
        kind=Kind.CUSTOMER, key="fleet", entity=fleet, valid_from=BEGINNING
    )
    for uid in TOKENS[1:]:
        partner = "NL-TNM" if uid.startswith("tnm") else "FR-MRL"
        token = Token(kind=TokenKind.ROAMING, partner=partner, customer="fleet")
        wanted[Kind.TOKEN, uid] = Change(
            kind=Kind.TOKEN, key=uid, entity=token, valid_from=BEGINNING
        )
    with connection.transaction():
        declare(connection, list(wanted.values()), by="a test", at=NOON)
    return load_declarations(connection)


def keep(
    connection: psycopg.Connection[Any], declared: Declarations, *tokens: str, first: int = 1
) -> None:
    for number, uid in enumerate(tokens, first):
        keep_decisions(connection, [rated(session(number, token_uid=uid), declared)])


def owing(connection: psycopg.Connection[Any]) -> list[tuple[str, str | None, int]]:
    """Return of each invoice on which account what is open of it stands, and whose that is."""
    query = "SELECT number FROM issued_invoice ORDER BY number"
    numbers = [number for (number,) in connection.execute(query)]
    return [
        (each.account or "", each.party, each.open_minor)
        for each in open_items(connection, numbers)
    ]


def differences(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return what the books hold of a receivable more than its documents come to."""
    found = Counter(
        {
            each.account: each.balance_minor
            for each in trial_balance(connection).accounts
            if each.account in {RECEIVABLE, PARTNER_RECEIVABLE}
        }
    )
    found.subtract({each.account: each.open_minor for each in open_sums(connection, OpenWish())})
    return {account: minor for account, minor in found.items() if minor}


def test_a_months_sessions_are_invoiced_by_who_owes_them_and_paid_on_one_account_each(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    declared = known(connection)
    keep(connection, declared, *TOKENS)

    issue_due(connection, issuer, declared, up_to=DECEMBER)

    assert owing(connection) == [
        (RECEIVABLE, "fleet", 476),
        (PARTNER_RECEIVABLE, "FR-MRL", 476),
        (PARTNER_RECEIVABLE, "NL-TNM", 952),
    ]
    assert differences(connection) == {}
    for item in open_items(connection, [f"WL-2026-00000{each}" for each in (1, 2, 3)]):
        assert item.account is not None
        assert item.party is not None
        whole = Allotment(item.account, item.open_minor, item.party, item.number)
        record_movement(
            connection,
            MoneyMovement(
                kind=MoneyKind.BANKED,
                source="bank:X",
                reference=item.number,
                legal_entity="depot",
                currency="EUR",
                amount_minor=item.open_minor,
                allotments=(whole,),
                happened_at=DECEMBER,
                recorded_by="a test",
            ),
        )
    assert {minor for _, _, minor in owing(connection)} == {0}
    assert differences(connection) == {}
    with InvoiceComparison(connection.info.dsn, "books") as comparison:
        assert [each for each in comparison.compare() if each.kept != each.again] == []


def test_what_missed_its_months_invoice_goes_on_the_next_one_of_who_owes_it(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    declared = known(connection)
    keep(connection, declared, "tnm-1")
    issue_due(connection, issuer, declared, up_to=DECEMBER)
    keep(connection, declared, "tnm-2", "fleet-1", first=2)

    of_its_month = issue_due(connection, issuer, declared, up_to=DECEMBER + timedelta(hours=1))
    of_the_next = issue_due(connection, issuer, declared, up_to=JANUARY)

    assert (len(of_its_month), len(of_the_next)) == (1, 1)
    assert [(party, minor) for _, party, minor in owing(connection)] == [
        ("NL-TNM", 476),
        ("fleet", 476),
        ("NL-TNM", 476),
    ]
    assert connection.execute("SELECT count(*) FROM uninvoiced_session").fetchone() == (0,)


def test_each_comes_to_a_threshold_by_itself(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    declared = known(connection, Invoicing.ON_THRESHOLD, Decimal("9.52"))
    keep(connection, declared, "fleet-1", "tnm-1")
    before = issue_due(connection, issuer, declared, up_to=NOON + timedelta(hours=2))
    keep(connection, declared, "tnm-2", first=3)

    issue_due(connection, issuer, declared, up_to=NOON + timedelta(hours=2))

    assert before == ()
    assert owing(connection) == [(PARTNER_RECEIVABLE, "NL-TNM", 952)]

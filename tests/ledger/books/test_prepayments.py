"""Prepaid balances on a real PostgreSQL: recorded once, settled in order, never below nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.books.accounts import PREPAYMENTS
from ledger.books.prepayments import (
    BalanceTooSmallError,
    OtherPrepaymentError,
    PrepaidAccount,
    PrepaidStanding,
    Prepayment,
    record_prepayment,
    standings,
)
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import Moment, SessionRated
from ledger.rating.reconciling.correcting import corrected
from projections.balances.prepaid import prepaid_balances, prepaid_movements
from projections.balances.trial import trial_balance
from projections.replay.comparison import Comparison
from projections.replay.invoices import InvoiceComparison
from tariffs.model.tariff import Dimension
from tests.depot import NOON, changes, component, declared, keep_decisions, rated, session, tariff

DECLARED = declared()
LATER = NOON + timedelta(days=3)
ANNA = PrepaidAccount("anna", "depot", "EUR")


@pytest.fixture
def issuer(database: str) -> Iterator[InvoiceIssuer]:
    """The invoices of a fresh database."""
    with InvoiceIssuer(database) as application:
        yield application


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the worker has it."""
    with connect(database) as opened:
        with opened.transaction():
            # Under the very versions of the snapshot that the tests rate by.
            version = declare(opened, changes(), by="a test", at=NOON)
        assert version == DECLARED.version
        yield opened


def paid(minor: int, reference: str = "r-1", *, at: datetime = NOON, **told: str) -> Prepayment:
    return Prepayment(
        legal_entity=told.get("legal_entity", "depot"),
        reference=reference,
        customer=told.get("customer", "anna"),
        currency=told.get("currency", "EUR"),
        amount_minor=minor,
        received_at=at,
        recorded_by="mia",
    )


def keep(
    connection: psycopg.Connection[Any], number: int = 1, token: str = "anna-1"
) -> SessionRated:
    """Store a session that costs 4.76."""
    decision = rated(session(number, token_uid=token), DECLARED)
    keep_decisions(connection, [decision])
    return decision


def balance(connection: psycopg.Connection[Any], account: PrepaidAccount = ANNA) -> int:
    [standing] = standings(connection, [account])
    return standing.balance_minor


def entries(connection: psycopg.Connection[Any], start: str) -> dict[str, list[tuple[str, int]]]:
    rows = connection.execute(
        "SELECT entry_id, accounts, amounts FROM journal_entry WHERE starts_with(entry_id, %s)",
        (start,),
    )
    return {
        entry_id: list(zip(accounts, amounts, strict=True)) for entry_id, accounts, amounts in rows
    }


def differences(connection: psycopg.Connection[Any]) -> list[Comparison]:
    """Return what a replay of documents and prepayments finds different; the decisions are kept."""
    with InvoiceComparison(connection.info.dsn, "books") as comparison:
        return [each for each in comparison.compare() if each.kept != each.again]


def test_what_is_paid_in_advance_is_owed_to_the_customer(
    connection: psycopg.Connection[Any],
) -> None:
    assert record_prepayment(connection, paid(1000))

    assert entries(connection, "prepaid:") == {
        "prepaid:depot/r-1": [(PREPAYMENTS, -1000), ("cash:clearing", 1000)]
    }
    assert standings(connection, [ANNA]) == [PrepaidStanding(1000, NOON)]
    assert trial_balance(connection).is_balanced
    assert differences(connection) == []


def test_the_same_reference_is_recorded_once_and_names_nothing_else(
    connection: psycopg.Connection[Any],
) -> None:
    record_prepayment(connection, paid(1000))

    assert not record_prepayment(connection, paid(1000, at=LATER))
    for other in (
        paid(1001),
        paid(1000, customer="fleet"),
        paid(1000, currency="GBP"),
    ):
        with pytest.raises(OtherPrepaymentError, match=r"of another prepayment, of 10.00 EUR"):
            record_prepayment(connection, other)
    assert record_prepayment(connection, paid(1000, legal_entity="quay"))
    assert balance(connection) == 1000


def test_no_more_is_paid_back_than_there_is(connection: psycopg.Connection[Any]) -> None:
    record_prepayment(connection, paid(1000))

    with pytest.raises(BalanceTooSmallError, match=r"the balance at depot is 10.00 EUR"):
        record_prepayment(connection, paid(-1001, "r-2"))
    with pytest.raises(BalanceTooSmallError):
        record_prepayment(connection, paid(-1, "r-2", currency="GBP"))
    assert record_prepayment(connection, paid(-1000, "r-2"))
    assert balance(connection) == 0
    assert differences(connection) == []


def test_invoices_are_settled_in_their_order_up_to_what_is_there(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    record_prepayment(connection, paid(700))
    for number in (1, 2, 3):
        keep(connection, number)

    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)
    record_prepayment(connection, paid(500, "r-2"))
    issue_due(connection, issuer, DECLARED, up_to=LATER)

    assert len(numbers) == 3
    assert entries(connection, "settled:") == {
        "settled:WL-2026-000001": [(PREPAYMENTS, 476), ("receivable:invoiced", -476)],
        "settled:WL-2026-000002": [(PREPAYMENTS, 224), ("receivable:invoiced", -224)],
    }
    # The third was booked before the money came: it stays owed.
    assert balance(connection) == 500
    owed = {each.account: each.balance_minor for each in trial_balance(connection).accounts}
    assert owed["receivable:invoiced"] == 3 * 476 - 700
    assert differences(connection) == []


def test_nobody_elses_invoice_is_settled_from_it(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    for account in (
        paid(1000, "r-1", customer="fleet"),
        paid(1000, "r-2", currency="GBP"),
        paid(1000, "r-3", legal_entity="quay"),
    ):
        record_prepayment(connection, account)
    keep(connection, 1)
    keep(connection, 2, "nobody-1")

    assert len(issue_due(connection, issuer, DECLARED, up_to=NOON)) == 2

    assert entries(connection, "settled:") == {}
    assert differences(connection) == []


def test_a_settlement_is_dated_no_earlier_than_the_money_that_it_takes(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    record_prepayment(connection, paid(1000, at=LATER))
    keep(connection)

    issue_due(connection, issuer, DECLARED, up_to=NOON)

    query = "SELECT booked_at FROM journal_entry WHERE entry_id LIKE 'settled:%'"
    assert connection.execute(query).fetchall() == [(LATER,)]
    assert differences(connection) == []


def test_a_credit_note_gives_back_what_its_invoice_was_settled_with_and_no_more(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    record_prepayment(connection, paid(300))
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    charging = session(1, energy_wh="5000")
    moment = Moment(partition=0, position=2000, at=LATER)
    now = corrected(replace(rated(charging, DECLARED), revision=2, moment=moment), was)
    keep_decisions(connection, [now])

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    assert numbers == ("WL-CN-2026-000001", "WL-2026-000002")
    assert entries(connection, "settled:") == {
        "settled:WL-2026-000001": [(PREPAYMENTS, 300), ("receivable:invoiced", -300)],
        "settled:WL-CN-2026-000001": [(PREPAYMENTS, -300), ("receivable:invoiced", 300)],
        "settled:WL-2026-000002": [(PREPAYMENTS, 238), ("receivable:invoiced", -238)],
    }
    assert balance(connection) == 62
    assert trial_balance(connection).is_balanced
    assert differences(connection) == []


def test_an_invoice_by_which_the_buyer_is_paid_moves_no_balance(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    paying = replace(tariff("energy", component(Dimension.ENERGY, "-0.10")), below_zero=True)
    known = declared((Kind.TARIFF, "energy", published(paying), NOON - timedelta(days=1)))
    record_prepayment(connection, paid(300))
    keep_decisions(connection, [rated(session(), known)])

    assert len(issue_due(connection, issuer, known, up_to=NOON)) == 1

    assert balance(connection) == 300
    assert entries(connection, "settled:") == {}


def test_a_kill_before_the_end_leaves_neither_the_prepayment_nor_its_entry(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("ALTER TABLE feed_head RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        record_prepayment(connection, paid(1000))

    assert connection.execute("SELECT count(*) FROM prepayment").fetchall() == [(0,)]
    assert entries(connection, "prepaid:") == {}
    connection.execute("ALTER TABLE away RENAME TO feed_head")
    assert record_prepayment(connection, paid(1000))


def test_what_was_recorded_never_changes(connection: psycopg.Connection[Any]) -> None:
    record_prepayment(connection, paid(1000))

    for change in ("UPDATE prepayment SET amount_minor = 1", "DELETE FROM prepayment"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(change.encode())


def test_a_replay_finds_a_settlement_that_nothing_led_to_and_one_that_is_gone(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    record_prepayment(connection, paid(300))
    keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    connection.execute("ALTER TABLE journal_entry DISABLE TRIGGER USER")
    connection.execute(
        "UPDATE journal_entry SET entry_id = 'settled:WL-2026-000009'"
        " WHERE entry_id = 'settled:WL-2026-000001'"
    )

    found = {(each.what, each.key) for each in differences(connection)}

    assert found == {
        ("settlement", "settled:WL-2026-000001"),
        ("prepaid posting", "settled:WL-2026-000009"),
    }


def test_balances_and_their_movements_are_the_journals(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    record_prepayment(connection, paid(1000))
    record_prepayment(connection, paid(500, "r-2", currency="GBP"))
    keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=LATER)

    balances = prepaid_balances(connection, "anna")
    movements = prepaid_movements(connection, "anna", limit=2)

    assert [(each.currency, each.balance_minor, each.entries) for each in balances] == [
        ("EUR", 524, 2),
        ("GBP", 500, 1),
    ]
    assert [(each.entry, each.amount_minor) for each in movements] == [
        ("settled:WL-2026-000001", -476),
        ("prepaid:depot/r-2", 500),
    ]
    assert prepaid_balances(connection, "fleet") == []


def test_who_comes_while_documents_are_booked_waits_and_comes_after_them(database: str) -> None:
    with connect(database) as one, connect(database) as two:
        two.execute("SET lock_timeout = '200ms'")
        with one.transaction():
            one.execute("UPDATE booked_position SET notification_id = 7")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                record_prepayment(two, paid(1000))
        assert record_prepayment(two, paid(1000))
        after = two.execute("SELECT booked_after FROM prepayment").fetchall()
    assert after == [(7,)]


def test_the_moment_of_a_payment_never_lies_before_the_one_before_it(
    connection: psycopg.Connection[Any],
) -> None:
    """Two machines' clocks differ; a balance as of a day is never below 0 for that."""
    record_prepayment(connection, paid(1000, at=LATER))

    record_prepayment(connection, paid(-1000, "r-2", at=datetime(2026, 11, 1, tzinfo=UTC)))

    assert standings(connection, [ANNA]) == [PrepaidStanding(0, LATER)]


def test_money_that_comes_and_goes_while_documents_are_booked_is_settled_in_one_order(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, database: str
) -> None:
    def pay(turn: int) -> None:
        with connect(database) as mine:
            for number in range(10):
                minor = 150 if number % 3 else -100
                with suppress(BalanceTooSmallError):
                    record_prepayment(mine, paid(minor, f"r-{turn}-{number}"))

    def issue() -> None:
        with connect(database) as mine:
            for number in range(1, 13):
                keep(mine, number)
                issue_due(mine, issuer, DECLARED, up_to=NOON, at_once=2)

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(pay, 1), pool.submit(pay, 2), pool.submit(issue)]:
            done.result()

    assert balance(connection) >= 0
    assert differences(connection) == []
    moved = prepaid_movements(connection, "anna", limit=1000)
    assert sum(each.amount_minor for each in moved) == balance(connection)
    assert len({each.entry for each in moved}) == len(moved)
    settled = [each for each in moved if each.entry.startswith("settled:")]
    assert settled
    assert all(-476 <= each.amount_minor < 0 for each in settled)
    assert trial_balance(connection).is_balanced

"""Movements of money in a replay: they come out again, and whoever changed one is found out."""

from __future__ import annotations

from typing import Any

import psycopg

from ledger.database import connect
from ledger.payments.movement import MoneyKind
from ledger.payments.open_items import open_item
from ledger.payments.recording import record_movement
from projections.payments.open_list import OpenWish, open_documents
from projections.replay.movements import compare_movements
from tests.ledger.desk.closing.books_of_march import (
    APRIL,
    ENTITY,
    HOUR,
    MARCH,
    MARCH_ENDS,
    books_of_march,
    closed,
)
from tests.ledger.payments.moved_money import every_kind
from tests.projections.books_of_a_day import books_of_a_day, replayed, tamper


def paid_books(dsn: str) -> str:
    """Fill *dsn* with the charging day, its first invoice paid; return the invoice's number."""
    books_of_a_day(dsn)
    with connect(dsn) as connection:
        [(number,)] = connection.execute(
            "SELECT number FROM open_invoice WHERE open_minor > 20 ORDER BY number LIMIT 1"
        ).fetchall()
        item = open_item(connection, number)
        assert item is not None
        for movement in every_kind(number, item.party or "", item.open_minor):
            record_movement(connection, movement)
        assert open_item(connection, number) is not None
    return str(number)


def test_movements_of_every_kind_come_out_again(database: str) -> None:
    paid_books(database)

    report = replayed(database)

    assert report.is_identical, report.shown
    assert report.compared_by_kind["movement posting"] == len(MoneyKind)
    assert report.compared_by_kind["movement hash"] == len(MoneyKind)
    assert report.compared_by_kind["open invoice"] > 0


OF_RECEIVED = "number = (SELECT number FROM inputs.movement WHERE kind = 'received')"
LAST_OPEN = "number = (SELECT max(number) FROM open_invoice)"
LAST_TOLD = "kind = 'moved' AND number = (SELECT max(number) FROM feed_entry)"
REFUND = "entry_id LIKE 'refunded:%'"
HASH, POSTING, OPEN = "movement hash", "movement posting", "open invoice"
COPIED = (
    "INSERT INTO journal_entry SELECT '{kind}:other/x', legal_entity, booked_at, period,"
    " original_period, NULL, NULL, accounts, parties, currencies, amounts FROM journal_entry"
)
CHANGES = (
    (HASH, f"UPDATE inputs.movement SET amount_minor = amount_minor + 1 WHERE {OF_RECEIVED}"),
    (POSTING, f"UPDATE inputs.movement SET amount_minor = amount_minor + 1 WHERE {OF_RECEIVED}"),
    (HASH, "UPDATE inputs.movement SET recorded_by = 'nobody' WHERE kind = 'banked'"),
    (HASH, f"DELETE FROM inputs.allotment WHERE {OF_RECEIVED}"),
    (POSTING, "DELETE FROM inputs.allotment WHERE minor = -15"),
    (HASH, f"UPDATE inputs.allotment SET document = 'WL-1' WHERE {OF_RECEIVED}"),
    (OPEN, f"UPDATE inputs.allotment SET document = 'WL-1' WHERE {OF_RECEIVED}"),
    (OPEN, f"UPDATE open_invoice SET open_minor = open_minor + 1 WHERE {LAST_OPEN}"),
    (OPEN, f"UPDATE open_invoice SET customer = 'other' WHERE {LAST_OPEN}"),
    (OPEN, f"DELETE FROM open_invoice WHERE {LAST_OPEN}"),
    (HASH, f"DELETE FROM feed_entry WHERE {LAST_TOLD}"),
    (HASH, f"UPDATE feed_entry SET subject = '999' WHERE {LAST_TOLD}"),
    (POSTING, f"UPDATE journal_entry SET amounts = ARRAY[9, -9] WHERE {REFUND}"),
    (POSTING, f"UPDATE journal_entry SET booked_at = booked_at + interval '1 us' WHERE {REFUND}"),
    (POSTING, f"UPDATE journal_entry SET period = '2099-01' WHERE {REFUND}"),
    (POSTING, f"DELETE FROM journal_entry WHERE {REFUND}"),
    *((POSTING, f"{COPIED.format(kind=kind)} WHERE {REFUND}") for kind in MoneyKind),
)
"""What is found, of whoever changed what."""


def differing(dsn: str) -> set[str]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = list(compare_movements(connection))
    return {each.what for each in found if each.kept != each.again}


def _undo(dsn: str, saved: dict[str, list[tuple[Any, ...]]]) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "SET session_replication_role = replica; SET search_path = books, inputs"
        )
        for table, rows in saved.items():
            connection.execute(f"DELETE FROM {table}".encode())
            for row in rows:
                places = ", ".join(["%s"] * len(row))
                given = "OVERRIDING SYSTEM VALUE" if table == "movement" else ""
                insert = f"INSERT INTO {table} {given} VALUES ({places})"
                connection.execute(insert.encode(), row)


def test_whoever_changed_a_movement_is_found_out(database: str) -> None:
    paid_books(database)
    assert differing(database) == set()
    tables = ("movement", "allotment", "feed_entry", "journal_entry", "open_invoice")
    with psycopg.connect(database) as connection:
        connection.execute("SET search_path = books, inputs")
        saved = {
            table: connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
            for table in tables
        }

    for what, statement in CHANGES:
        tamper(database, statement)
        assert what in differing(database), statement
        _undo(database, saved)
    assert differing(database) == set()


def test_a_changed_movement_makes_the_replay_fail(database: str) -> None:
    paid_books(database)
    tamper(database, "UPDATE inputs.movement SET amount_minor = 1 WHERE kind = 'refunded'")

    report = replayed(database)

    assert {each.what for each in report.shown} >= {"movement hash", "movement posting"}


def test_money_of_a_closed_month_comes_out_again_in_the_next_one(database: str) -> None:
    closed(books_of_march(database))
    with connect(database) as connection:
        [(number, party)] = connection.execute(
            "SELECT number, party FROM open_invoice ORDER BY number LIMIT 1"
        ).fetchall()
        [received, *_] = every_kind(number, party, 1)
        late = received._replace(legal_entity=ENTITY, happened_at=MARCH_ENDS - HOUR)
        recorded, _ = record_movement(connection, late)
        wanted = OpenWish(until=MARCH_ENDS)
        assert number in {each.number for each in open_documents(connection, wanted, limit=99)}
    assert (recorded.original_period, recorded.period) == (MARCH, APRIL)

    report = replayed(database)

    assert report.is_identical, report.shown
    assert report.compared_by_kind["movement posting"] == 1

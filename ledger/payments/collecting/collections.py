"""The rows of what is to be collected: an open invoice of a customer each, and how it goes with it.

| from | when | to |
|---|---|---|
| - | an invoice of a customer is booked | waiting, until it is due |
| waiting | it is due, uncontested, its customer may be charged | under_way: a request is decided |
| waiting | it is due, and nothing may be charged | no_method |
| under_way | the bank says no, and may say yes later | waiting, until the policy's next day |
| under_way | only the customer can help | asks_customer |
| under_way | the bank said no each time; the provider refuses it | given_up |
| no_method, asks_customer, given_up | its customer gave leave, anew | waiting |
| any | nothing is open of it any more | - |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.requests import NEVER

_BEGIN: LiteralString = """
INSERT INTO collection (number, legal_entity, customer, next_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT (number) DO NOTHING
"""
# What is contested waits until a person has decided about it.
_IS_DUE: LiteralString = """
state = 'waiting' AND next_at <= %s AND NOT EXISTS (
    SELECT FROM invoiced_session AS stands JOIN session USING (session_id)
    WHERE stands.number = collection.number AND 'disputed' = ANY (flags)
)
"""
_DUE: LiteralString = f"""
SELECT number, legal_entity, customer, reason FROM collection
WHERE {_IS_DUE} ORDER BY next_at, number LIMIT %s
FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - our own
_MOVE: LiteralString = """
UPDATE collection SET state = %s, next_at = %s, reason = %s WHERE number = %s
"""
_WAKE: LiteralString = """
UPDATE collection SET state = 'waiting', next_at = %(at)s
WHERE customer = %(customer)s AND legal_entity = %(legal_entity)s
    AND state IN ('no_method', 'asks_customer', 'given_up')
"""
_IS_ANY_DUE: LiteralString = f"SELECT EXISTS (SELECT FROM collection WHERE {_IS_DUE})"  # noqa: S608 - our own
_END: LiteralString = """
DELETE FROM collection WHERE number = ANY (%(numbers)s) AND NOT EXISTS (
    SELECT FROM open_invoice AS open WHERE open.number = collection.number AND open_minor > 0
)
"""
# What is open again after it was paid, or was paid in part, is no one's turn by itself.
_LEFT: LiteralString = """
UPDATE collection SET state = 'given_up', reason = 'open_again'
WHERE number = ANY (%(numbers)s) AND state = 'under_way' AND NOT EXISTS (
    SELECT FROM provider_request AS request JOIN provider_request_state AS reached USING (key)
    WHERE request.subject = collection.number AND request.kind = 'collect'
        AND reached.state IN ('new', 'asked', 'open')
)
"""
_FIND: LiteralString = """
SELECT number, legal_entity, customer, state, reason FROM collection WHERE number = %s
"""


class CollectionState(StrEnum):
    """How it goes with an invoice; see the table above."""

    WAITING = "waiting"
    NO_METHOD = "no_method"
    UNDER_WAY = "under_way"
    ASKS_CUSTOMER = "asks_customer"
    GIVEN_UP = "given_up"


class DueCollection(NamedTuple):
    """An invoice whose turn it is; `reason`: of the last "no", "" where there was none."""

    number: str
    legal_entity: str
    customer: str
    reason: str


class CollectionStanding(NamedTuple):
    """How it goes with collecting an invoice."""

    number: str
    legal_entity: str
    customer: str
    state: str
    reason: str


class WantedCollection(NamedTuple):
    """An invoice that is to be collected from `due_at` on; `customer`: a subject id."""

    number: str
    legal_entity: str
    customer: str
    due_at: datetime


def begin_collections(connection: Connection[Any], wanted: Sequence[WantedCollection]) -> None:
    """Keep what is to be collected; what is known stays as it is."""
    if wanted:
        columns = [list(column) for column in zip(*wanted, strict=True)]
        connection.execute(_BEGIN, columns)


def is_any_due(connection: Connection[Any], now: datetime) -> bool:
    """Say whether it is the turn of any: without a lock, for who looks often."""
    [(found,)] = connection.execute(_IS_ANY_DUE, (now,)).fetchall()
    return bool(found)


def due_collections(
    connection: Connection[Any], now: datetime, limit: int
) -> Sequence[DueCollection]:
    """Return whose turn it is, the longest due first, locked until the transaction's end."""
    with connection.cursor(row_factory=class_row(DueCollection)) as cursor:
        return cursor.execute(_DUE, (now, limit)).fetchall()


def move_collection(
    connection: Connection[Any],
    number: str,
    state: CollectionState,
    *,
    next_at: datetime | None = None,
    reason: str = "",
) -> None:
    """Note how it goes with an invoice, and when it is its turn again; None: never by itself."""
    connection.execute(_MOVE, (state.value, next_at or NEVER, reason, number))


class CollectionMove(NamedTuple):
    """How it goes with an invoice from now on, until something else says so."""

    number: str
    state: CollectionState
    reason: str


def move_collections(connection: Connection[Any], moves: Sequence[CollectionMove]) -> None:
    """Note how it goes with invoices whose turn it is not by itself."""
    with connection.cursor() as cursor:
        rows = [(move.state.value, NEVER, move.reason, move.number) for move in moves]
        cursor.executemany(_MOVE, rows)


def wake_collections(
    connection: Connection[Any], legal_entity: str, customer: str, at: datetime
) -> int:
    """Have all collected that waited for a way to charge *customer*; return how many."""
    asked = {"customer": customer, "legal_entity": legal_entity, "at": at}
    return connection.execute(_WAKE, asked).rowcount


def end_collections(connection: Connection[Any], numbers: Collection[str]) -> None:
    """Let go of those of which nothing is open any more; of what was paid in part, say so."""
    if numbers:
        connection.execute(_END, {"numbers": sorted(numbers)})
        connection.execute(_LEFT, {"numbers": sorted(numbers)})


def find_collection(connection: Connection[Any], number: str) -> CollectionStanding | None:
    """Return how it goes with collecting an invoice; None: it is not to be collected."""
    with connection.cursor(row_factory=class_row(CollectionStanding)) as cursor:
        return cursor.execute(_FIND, (number,)).fetchone()

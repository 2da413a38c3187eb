"""The outbox: what is to be delivered, who is at it, what came of each attempt.

    waiting -> sending -> handing_over -> delivered
       ^          |            |--> refused: the other side said no, for good
       |--- not arrived <------|
                               '--> unknown: nobody can tell, a person decides

An attempt is put down before it begins. What is `sending` has surely not arrived, and is tried
again; before the moment from which on it may have arrived the row says `handing_over`. Only one
deliverer is at work, as long as he holds a lock of the database (`the_only_one`): whatever he finds
begun was begun by somebody who is gone. The rows move on the connection that holds the lock, so
who lost it can hand nothing over any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.master_data.customers import Delivery
from projections.documents.keeping.issued import IssuedDocument
from projections.errors import ProjectionError

WAYS: Final = tuple(each for each in Delivery if each is not Delivery.NONE)
DELIVERING_LOCK: Final = 0x646F6373  # "docs"
"""An advisory lock: who holds it delivers."""
FIRST_WAIT_SECONDS: Final = 30
WAIT_SECONDS_MAX: Final = 6 * 3600
ATTEMPTS_MAX: Final = 25
"""About five days; what has not arrived then waits for a person."""
_DOUBLINGS_MAX: Final = 16

_LOCK: LiteralString = "SELECT pg_try_advisory_lock(%s)"
_PUT_DOWN: LiteralString = """
INSERT INTO document_delivery (number, way) VALUES (%s, %s)
ON CONFLICT (number, way, reminder) DO NOTHING
"""
# The first of each way: one way's thousands stand before no other's, and whoever goes next is of
# another way where one is due.
_CLAIM: LiteralString = """
WITH due AS (
    SELECT id FROM unnest(%(ways)s::text[]) AS goes (by_way) CROSS JOIN LATERAL (
        SELECT id, next_at FROM document_delivery
        WHERE state = 'waiting' AND way = by_way AND next_at <= now()
        ORDER BY next_at, id LIMIT 1
    ) AS first ORDER BY by_way = %(last)s, next_at, id LIMIT 1
), claimed AS (
    UPDATE document_delivery AS delivery SET state = 'sending', attempts = attempts + 1
    FROM due WHERE delivery.id = due.id AND state = 'waiting'
    RETURNING delivery.id, number, way, attempts, reminder
)
INSERT INTO delivery_attempt (delivery_id, attempt)
SELECT id, attempts FROM claimed
RETURNING delivery_id, attempt, began_at, (SELECT number FROM claimed), (SELECT way FROM claimed),
    (SELECT reminder FROM claimed)
"""
_MOVE: LiteralString = """
UPDATE document_delivery SET state = %(state)s,
    next_at = now() + %(seconds)s * interval '1 s'
WHERE id = %(id)s AND attempts = %(attempt)s AND state IN ('sending', 'handing_over')
"""
_END: LiteralString = """
UPDATE delivery_attempt SET ended_at = now(), came_of_it = %(came_of_it)s, why = %(why)s
WHERE delivery_id = %(id)s AND attempt = %(attempt)s AND ended_at IS NULL
"""
_BEGUN: LiteralString = """
SELECT id, attempts, state FROM document_delivery WHERE state IN ('sending', 'handing_over')
ORDER BY id
"""
_AGAIN: LiteralString = """
UPDATE document_delivery SET state = 'waiting', next_at = now()
WHERE number = ANY (%s) AND state IN ('waiting', 'unknown', 'refused') RETURNING number
"""
_ALL_AGAIN: LiteralString = """
UPDATE document_delivery SET next_at = now()
WHERE state = 'waiting' AND attempts > 0 RETURNING number
"""
_COUNT: LiteralString = """
SELECT state, count(*) FROM document_delivery
WHERE state NOT IN ('delivered', 'erased') GROUP BY state
"""


class DeliveryState(StrEnum):
    """Where a delivery is that is not over; beside these it is delivered, or its reader erased."""

    WAITING = "waiting"
    SENDING = "sending"
    HANDING_OVER = "handing_over"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class CameOfIt(StrEnum):
    """What came of an attempt."""

    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"
    """It has surely not arrived: it is tried again."""
    REFUSED = "refused"
    """It has surely not arrived, and trying again would not change that."""
    UNKNOWN = "unknown"


class Attempt(NamedTuple):
    """An attempt that was put down: of which delivery, the how manieth, since when.

    `reminder`: for the how manieth time its payer is reminded of the document; 0: it goes itself.
    """

    delivery: int
    attempt: int
    began_at: datetime
    number: str
    way: Delivery
    reminder: int = 0


class LostDeliveryError(ProjectionError):
    """Somebody else has moved a delivery meanwhile: this one must not go on with it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(
            f"the delivery of {attempt.number} by {attempt.way} is no more at attempt "
            f"{attempt.attempt}"
        )
        self.attempt = attempt


def put_down(
    connection: Connection[Any], declarations: Declarations, issued: IssuedDocument
) -> None:
    """Put down how *issued* reaches its reader, within the transaction that keeps its document.

    By the way that was declared for when it was issued: who chooses one later gets no old
    documents by it. Who was withdrawn by then gets its last ones as before. A bearer of a token
    has none.
    """
    buyer = issued.document.buyer
    customer = None if buyer is None else declarations.last_customer(buyer.name, issued.issued_at)
    if customer is not None and customer.delivery is not Delivery.NONE:
        connection.execute(_PUT_DOWN, (issued.document.number, customer.delivery))


def the_only_one(connection: Connection[Any]) -> bool:
    """Become who delivers, for as long as *connection* is open; say whether that is so."""
    return connection.execute(_LOCK, (DELIVERING_LOCK,)).fetchone() == (True,)


def claim_delivery(
    connection: Connection[Any], ways: Iterable[Delivery] = WAYS, last: Delivery | None = None
) -> Attempt | None:
    """Put an attempt down and return it: of what is due first, None if nothing is.

    Outside a transaction: that it began is to stand, whatever becomes of it.

    Args:
        connection: That holds the lock.
        ways: By which something may go now.
        last: By which the last one went: what is due by another way goes before.
    """
    asked = {"ways": [each.value for each in ways], "last": "" if last is None else last.value}
    row = connection.execute(_CLAIM, asked).fetchone()
    if row is None:
        return None
    delivery, attempt, began_at, number, way, reminder = row
    return Attempt(delivery, attempt, began_at, number, Delivery(way), reminder)


def note_handing_over(connection: Connection[Any], attempt: Attempt) -> None:
    """Note that from now on it may have arrived.

    Raises:
        LostDeliveryError: If somebody else moved it.
    """
    _move(connection, attempt, "handing_over")


def end_attempt(
    connection: Connection[Any], attempt: Attempt, came_of_it: CameOfIt, why: str = ""
) -> None:
    """Note what came of *attempt*, and what becomes of the delivery.

    Args:
        connection: Outside a transaction.
        attempt: Which.
        came_of_it: What.
        why: In codes and numbers; never what another side says in words.

    Raises:
        LostDeliveryError: If somebody else moved it.
    """
    state, seconds = came_of_it.value, 0.0
    if came_of_it is CameOfIt.NOT_DELIVERED:
        state = "waiting" if attempt.attempt < ATTEMPTS_MAX else "refused"
        doublings = min(attempt.attempt - 1, _DOUBLINGS_MAX)
        seconds = min(FIRST_WAIT_SECONDS * 2**doublings, WAIT_SECONDS_MAX)
    with connection.transaction():
        _move(connection, attempt, state, seconds)
        _end(connection, attempt.delivery, attempt.attempt, came_of_it, why)


def note_needless(connection: Connection[Any], attempt: Attempt, why: str) -> None:
    """End *attempt*: nothing is ever sent, for who it was for is erased, or it is paid."""
    with connection.transaction():
        _move(connection, attempt, "erased")
        _end(connection, attempt.delivery, attempt.attempt, CameOfIt.REFUSED, why)


def recover(connection: Connection[Any]) -> int:
    """Settle what somebody who is gone had begun; return how many stay unknown.

    Only for who holds the lock (`the_only_one`).
    """
    unknown = 0
    for delivery, attempt, state in connection.execute(_BEGUN).fetchall():
        may_have_arrived = state == "handing_over"
        unknown += may_have_arrived
        came_of_it = CameOfIt.UNKNOWN if may_have_arrived else CameOfIt.NOT_DELIVERED
        with connection.transaction():
            goes_on = "unknown" if may_have_arrived else "waiting"
            _moved(connection, delivery, attempt, goes_on)
            _end(connection, delivery, attempt, came_of_it, "the process ended")
    return unknown


def deliver_again(
    connection: Connection[Any], numbers: Sequence[str], *, all_waiting: bool = False
) -> list[str]:
    """Have documents delivered at once: those of *numbers*, also what is unknown or was refused.

    *all_waiting* instead: all that wait for a further attempt. Returns which those are.
    """
    query = _ALL_AGAIN if all_waiting else _AGAIN
    rows = connection.execute(query, () if all_waiting else (list(numbers),))
    return sorted({number for (number,) in rows})


def count_deliveries(connection: Connection[Any]) -> dict[str, int]:
    """Return how many deliveries are in each state, without those that are over."""
    found = dict(connection.execute(_COUNT).fetchall())
    return {state.value: found.get(state.value, 0) for state in DeliveryState}


def _move(connection: Connection[Any], attempt: Attempt, state: str, seconds: float = 0.0) -> None:
    if not _moved(connection, attempt.delivery, attempt.attempt, state, seconds):
        raise LostDeliveryError(attempt)


def _moved(
    connection: Connection[Any], delivery: int, attempt: int, state: str, seconds: float = 0.0
) -> bool:
    asked = {"id": delivery, "attempt": attempt, "state": state, "seconds": seconds}
    return connection.execute(_MOVE, asked).rowcount > 0


def _end(
    connection: Connection[Any], delivery: int, attempt: int, came_of_it: CameOfIt, why: str
) -> None:
    asked = {"id": delivery, "attempt": attempt, "came_of_it": came_of_it.value, "why": why}
    connection.execute(_END, asked)

"""The feed: decisions numbered without gaps in each partition, for all who follow them.

Whoever reads "all after number 7" must never miss one. A sequence cannot promise that: it gives
numbers before the commit, so that 9 may appear while 8 is still open, and a rollback leaves a gap.
Here a number is taken under a lock that is held until the commit: of the worker's position for
decisions about sessions, of `feed_head` for all others.

    8 is open, another wants to decide  -> it waits for the lock, and takes 9 after 8 is committed
    8 is rolled back, or its writer dies -> the next decision is 8

So a follower keeps one number for each partition. Tests: tests/ledger/books/test_feed.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError

DESK_PARTITION: Final = -1
"""Of the decisions that are no session's: invoices, tariffs approved and retired, prepayments,
settlements with partners, movements of money."""
FIRST_NUMBER: Final = 1
"""Of each partition."""

_PARTITIONS: LiteralString = """
SELECT partition FROM worker_position UNION SELECT partition FROM feed_head ORDER BY partition
"""
_PAGE: LiteralString = """
SELECT partition, number, kind, subject, revision, sha256 FROM feed
WHERE partition = %s AND number >= %s ORDER BY number LIMIT %s
"""
_LOCK: LiteralString = "SELECT next_number FROM feed_head WHERE partition = %s FOR UPDATE"
# Who has the lock is alone: what has no number yet gets one, without a gap.
_APPEND: LiteralString = """
INSERT INTO feed_entry (partition, number, kind, subject, revision, sha256)
SELECT %(partition)s, %(number)s - 1 + row_number() OVER (ORDER BY place), %(kind)s, subject,
       revision, sha256
FROM unnest(%(subjects)s::text[], %(revisions)s::integer[], %(hashes)s::text[])
    WITH ORDINALITY AS decided (subject, revision, sha256, place)
WHERE NOT EXISTS (
    SELECT FROM feed_entry AS told WHERE told.kind = %(kind)s
    AND told.subject = decided.subject AND told.revision = decided.revision
)
"""
_ADVANCE: LiteralString = "UPDATE feed_head SET next_number = %s WHERE partition = %s"


class DeskDecision(StrEnum):
    """What is decided that is no session's; the sessions' kinds are `DecisionKind`."""

    ISSUED = "issued"
    APPROVED = "approved"
    RETIRED = "retired"
    PREPAID = "prepaid"
    SETTLED = "settled"
    MOVED = "moved"


class FeedEntry(NamedTuple):
    """A decision with its number; `kind` is a `DecisionKind` or a `DeskDecision`.

    `subject` is a session's id, a tariff's id, or the number of an invoice, a prepayment, a
    settlement or a movement, `revision` the session's revision or the tariff's version (1 of the
    others). `sha256` names what was decided.
    """

    partition: int
    number: int
    kind: str
    subject: str
    revision: int
    sha256: str


def feed_partitions(connection: Connection[Any]) -> Sequence[int]:
    """Return every partition that there is."""
    return [partition for (partition,) in connection.execute(_PARTITIONS)]


def read_feed(
    connection: Connection[Any], partition: int, *, start: int, limit: int
) -> Sequence[FeedEntry]:
    """Return up to *limit* entries from the number *start* on, in their order.

    Raises:
        FeedGapError: If a number is missing: nobody is to go on as if nothing had been there.
    """
    rows = connection.execute(_PAGE, (partition, start, limit)).fetchall()
    entries = [FeedEntry(*row) for row in rows]
    for expected, entry in enumerate(entries, start):
        if entry.number != expected:
            raise FeedGapError(partition, expected)
    return entries


class NamedDecision(NamedTuple):
    """A decision of the desk: what it is about, as in `FeedEntry`."""

    subject: str
    revision: int
    sha256: str


def append_decisions(
    connection: Connection[Any], kind: DeskDecision, decided: Sequence[NamedDecision]
) -> int:
    """Give decisions of the desk, no two alike, the next numbers; return how many had none yet.

    Within the caller's transaction, which others wait for from here on: call it last.
    """
    [(number,)] = connection.execute(_LOCK, (DESK_PARTITION,)).fetchall()
    row = {
        "partition": DESK_PARTITION,
        "number": number,
        "kind": kind.value,
        "subjects": [each.subject for each in decided],
        "revisions": [each.revision for each in decided],
        "hashes": [each.sha256 for each in decided],
    }
    appended = connection.execute(_APPEND, row).rowcount
    if appended:
        connection.execute(_ADVANCE, (number + appended, DESK_PARTITION))
    return appended


def append_decision(
    connection: Connection[Any], kind: DeskDecision, *, subject: str, revision: int, sha256: str
) -> bool:
    """Give one decision of the desk the next number; say whether it had none yet."""
    return append_decisions(connection, kind, [NamedDecision(subject, revision, sha256)]) > 0


class FeedGapError(LedgerError):
    """A decision that was in the feed is gone."""

    def __init__(self, partition: int, number: int) -> None:
        super().__init__(
            f"decision {number} of partition {partition} is missing from the feed: somebody "
            "deleted it; run `wattledger replay --check`"
        )
        self.partition, self.number = partition, number

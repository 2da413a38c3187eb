"""The work list: documents that were booked and are still to be rendered.

Whoever follows the feed adds what was issued, in one transaction with his position. A task is
claimed by counting the attempt and putting off the next one, durably, before anything is rendered:
a document that ends the process comes last when it is started again, and stops no other. What was
never tried goes before what failed, however much of that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION, FIRST_NUMBER, DeskDecision, read_feed
from ledger.books.following import ADVANCE, BEGIN, LOAD
from ledger.persons.sealing import Subject, seal

FOLLOWER: Final = "documents"
PAGE: Final = 500
FIRST_WAIT_SECONDS: Final = 5
WAIT_SECONDS_MAX: Final = 3600
_DOUBLINGS_MAX: Final = 16
_REASON_CHARACTERS: Final = 500

_ADD: LiteralString = """
INSERT INTO document_task (number)
SELECT number FROM unnest(%s::text[]) AS issued (number)
WHERE NOT EXISTS (SELECT FROM rendered_document AS done WHERE done.number = issued.number)
ON CONFLICT (number) DO NOTHING
"""
# Who renders holds the row: a rival passes it by, also when its next attempt would be due.
_CLAIM: LiteralString = """
UPDATE document_task SET attempts = attempts + 1, next_at = now() + least(
    %(first)s * power(2, least(attempts, %(doublings)s)), %(max)s) * interval '1 s'
WHERE number = (
    SELECT number FROM (VALUES (false), (true)) AS known (was_tried) CROSS JOIN LATERAL (
        SELECT number FROM document_task
        WHERE NOT is_erased AND (attempts > 0) = was_tried AND next_at <= now()
        ORDER BY next_at, number LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS first ORDER BY was_tried LIMIT 1
) RETURNING number
"""
_HOLD: LiteralString = "SELECT FROM document_task WHERE number = %s FOR UPDATE"
_DONE: LiteralString = "DELETE FROM document_task WHERE number = %s"
_FAILED: LiteralString = "UPDATE document_task SET (subject, reason) = (%s, %s) WHERE number = %s"
_ERASED: LiteralString = (
    "UPDATE document_task SET is_erased = true, reason = NULL WHERE number = %s"
)
_AGAIN: LiteralString = """
UPDATE document_task SET next_at = now(), is_erased = false
WHERE number = ANY (%s) OR (%s AND reason IS NOT NULL) RETURNING number
"""
_COUNT: LiteralString = """
SELECT count(*) FILTER (WHERE reason IS NULL AND NOT is_erased),
       count(*) FILTER (WHERE reason IS NOT NULL AND NOT is_erased) FROM document_task
"""


def follow_feed(connection: Connection[Any]) -> int:
    """Add a page of what was booked since the last look; return how many decisions that was.

    Only the desk's partition: nothing of any session is a document.
    """
    key = (FOLLOWER, DESK_PARTITION)
    with connection.transaction():
        connection.execute(BEGIN, (*key, FIRST_NUMBER))
        [(number,)] = connection.execute(LOAD, key).fetchall()
        page = read_feed(connection, DESK_PARTITION, start=number, limit=PAGE)
        issued = [each.subject for each in page if each.kind == DeskDecision.ISSUED]
        if issued:
            connection.execute(_ADD, (issued,))
        if page:
            connection.execute(ADVANCE, (number + len(page), *key))
    return len(page)


def claim_task(connection: Connection[Any]) -> str | None:
    """Return the number of the document that is to be rendered next, None if none is due.

    Outside a transaction: that somebody tried is to stand, whatever becomes of it.
    """
    waits = {
        "first": FIRST_WAIT_SECONDS,
        "doublings": _DOUBLINGS_MAX,
        "max": WAIT_SECONDS_MAX,
    }
    row = connection.execute(_CLAIM, waits).fetchone()
    return None if row is None else row[0]


def hold_task(connection: Connection[Any], number: str) -> bool:
    """Keep others from task *number* until the transaction ends; say whether it is still there."""
    return connection.execute(_HOLD, (number,)).fetchone() is not None


def end_task(connection: Connection[Any], number: str) -> None:
    """Take *number* off the list, within the transaction that keeps its document."""
    connection.execute(_DONE, (number,))


def note_failure(connection: Connection[Any], subject: Subject, number: str, why: str) -> None:
    """Note *why* an attempt failed, sealed: a message may quote what only its reader should see."""
    sealed = seal(subject, why[:_REASON_CHARACTERS] or "no reason was told")
    connection.execute(_FAILED, (subject.id, sealed, number))


def note_erased(connection: Connection[Any], number: str) -> None:
    """Note that there is nobody any more whom *number* is for."""
    connection.execute(_ERASED, (number,))


def try_again(
    connection: Connection[Any], numbers: Sequence[str], *, all_failed: bool = False
) -> list[str]:
    """Make tasks due at once: those of *numbers*, or all that failed; return which those are."""
    rows = connection.execute(_AGAIN, (list(numbers), all_failed))
    return sorted(number for (number,) in rows)


def count_tasks(connection: Connection[Any]) -> tuple[int, int]:
    """Return how many documents wait to be rendered, and how many failed the last time."""
    [(waiting, failed)] = connection.execute(_COUNT).fetchall()
    return int(waiting), int(failed)

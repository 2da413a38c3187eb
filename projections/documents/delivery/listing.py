"""Documents as people look after them: rendered or not, delivered or not, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.persons.sealing import Subject, unseal
from ledger.persons.store import keys_of

_LIST: LiteralString = """
SELECT issued.number, issued.issued_on, rendered.kind, rendered.language, rendered.rendered_at,
       rendered.pdf_sha256 AS sha256, coalesce(task.attempts, 0) AS renderings,
       CASE WHEN rendered.number IS NOT NULL THEN 'rendered'
            WHEN task.is_erased THEN 'erased'
            WHEN task.reason IS NOT NULL THEN 'failed' ELSE 'waiting' END AS state,
       delivery.way, delivery.state AS delivery, coalesce(delivery.attempts, 0) AS attempts,
       CASE WHEN rendered.number IS NULL THEN task.next_at
            WHEN delivery.state = 'waiting' THEN delivery.next_at END AS next_at,
       (SELECT why FROM delivery_attempt AS attempt WHERE attempt.delivery_id = delivery.id
        ORDER BY attempt DESC LIMIT 1) AS why,
       task.subject, task.reason
FROM issued_invoice AS issued
LEFT JOIN rendered_document AS rendered USING (number)
LEFT JOIN document_task AS task USING (number)
LEFT JOIN document_delivery AS delivery ON delivery.number = issued.number AND delivery.reminder = 0
WHERE (%(numbers)s::text[] IS NULL OR issued.number = ANY (%(numbers)s))
AND (NOT %(is_open)s OR rendered.number IS NULL
     OR delivery.state NOT IN ('delivered', 'erased'))
ORDER BY issued.issued_on DESC, issued.number DESC LIMIT %(limit)s
"""


class ListedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An issued document, how far it is.

    `state`: rendered, waiting, failed, or erased: who it is for is nobody any more. `delivery` is
    the state of its way to its reader, None where it waits to be fetched. `why`: what the last
    attempt that did not come to its end said. `next_at`: when there is a further one.
    """

    number: str
    issued_on: date
    kind: str | None
    language: str | None
    rendered_at: datetime | None
    sha256: str | None
    state: str
    renderings: int
    way: str | None
    delivery: str | None
    attempts: int
    next_at: datetime | None
    why: str | None


class _Row(ListedDocument, frozen=True, kw_only=True):
    subject: str | None
    reason: str | None


def list_documents(
    connection: Connection[Any],
    *,
    limit: int,
    only_open: bool = False,
    numbers: Sequence[str] | None = None,
) -> list[ListedDocument]:
    """Return issued documents, the newest first.

    *only_open*: those alone that are not rendered, or whose delivery is not over.
    """
    asked = {
        "limit": limit,
        "is_open": only_open,
        "numbers": None if numbers is None else list(numbers),
    }
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(_LIST, asked).fetchall()
    keys = keys_of(connection, {row.subject for row in rows if row.subject is not None})
    return [_listed(row, keys.get(row.subject or "")) for row in rows]


def _listed(row: _Row, key: bytes | None) -> ListedDocument:
    shown = {name: getattr(row, name) for name in ListedDocument.__struct_fields__}
    if row.reason is not None:
        is_shut = key is None or row.subject is None
        shown["why"] = (
            None if is_shut else unseal(Subject(row.subject or "", key or b""), row.reason)
        )
    return ListedDocument(**shown)

"""Disputes as people look at them: how each stands, for what, and what is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

_LISTED: LiteralString = """
SELECT dispute.provider, dispute_id, intent_id, dispute.legal_entity, dispute.status,
    dispute.currency, dispute.amount_minor, taken_minor, fee_minor, given_back_minor, reason,
    dispute.created_at, seen_at,
    coalesce((SELECT array_agg(DISTINCT document ORDER BY document) FROM allotment
              WHERE number = dispute.received AND document <> ''), '{}') AS documents
FROM dispute
WHERE (%(legal_entity)s::text IS NULL OR dispute.legal_entity = %(legal_entity)s)
    AND (%(legal_entities)s::text[] IS NULL OR dispute.legal_entity = ANY (%(legal_entities)s))
    AND (%(after_at)s::timestamptz IS NULL OR dispute.created_at <= %(after_at)s
        AND (dispute.created_at < %(after_at)s OR dispute_id > %(after_id)s))
    AND (NOT %(is_open)s OR dispute.status IN ('inquiry', 'open'))
    AND (%(until)s::timestamptz IS NULL OR dispute.created_at < %(until)s)
ORDER BY dispute.created_at DESC, dispute_id LIMIT %(limit)s
"""
TO_DO: Final = {
    "inquiry": "answer the bank at the provider; no money has moved",
    "open": "send the session's evidence at the provider, or accept it",
    "won": "",
    "lost": "its invoices are open again and not collected by themselves: ask the customer",
}
"""What is to be done about a dispute, by its status."""


class ListedDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as it was last looked at, in minor units; `documents`: what the money was for."""

    provider: str
    dispute_id: str
    intent_id: str
    legal_entity: str
    status: str
    currency: str
    amount_minor: int
    taken_minor: int
    fee_minor: int
    given_back_minor: int
    reason: str
    created_at: datetime
    seen_at: datetime
    documents: list[str]


def list_disputes(
    connection: Connection[Any],
    *,
    legal_entity: str | None = None,
    is_open: bool = False,
    until: datetime | None = None,
    limit: int | None = None,
    legal_entities: Sequence[str] | None = None,
    after: tuple[datetime, str] | None = None,
) -> Sequence[ListedDispute]:
    """Return disputes, the newest first: all, or those that are open or only asked about.

    *legal_entities*: those within somebody's reach. *after*: behind that time and id.
    """
    after_at, after_id = after or (None, "")
    asked = {
        "legal_entities": None if legal_entities is None else list(legal_entities),
        "after_at": after_at,
        "after_id": after_id,
        "legal_entity": legal_entity,
        "is_open": is_open,
        "until": until,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(ListedDispute)) as cursor:
        return cursor.execute(_LISTED, asked).fetchall()

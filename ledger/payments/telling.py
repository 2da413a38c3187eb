"""Telling that something became of an object at a provider: the runner looks at it then."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.payments.provider import PaymentObjectKind

# Who is at it now sees by `told` that more was told meanwhile, and leaves the row.
_TELL: LiteralString = """
INSERT INTO provider_object_due AS due (provider, object_id, kind, next_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (provider, object_id) DO UPDATE SET told = due.told + 1, next_at = excluded.next_at
"""


def tell_of_object(
    connection: Connection[Any],
    provider: str,
    kind: PaymentObjectKind,
    object_id: str,
    *,
    next_at: datetime,
) -> None:
    """Have an object of *provider* looked at from *next_at* on, in the caller's transaction."""
    connection.execute(_TELL, (provider, object_id, kind.value, next_at))

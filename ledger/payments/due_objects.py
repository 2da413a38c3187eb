"""Objects of a provider that are to be looked at anew: told of by it, or due by our own reckoning.

A row an object, however often it is told of. Who looks at one claims its row for a while, and
deletes it where nothing more was told meanwhile; a kill leaves the row, which is due again then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.provider import PaymentObjectKind
from ledger.payments.requests import NEVER, RequestKind

OBJECT_OF: Final[Mapping[RequestKind, PaymentObjectKind]] = {
    RequestKind.SET_UP: PaymentObjectKind.SETUP,
    RequestKind.COLLECT: PaymentObjectKind.INTENT,
    RequestKind.TOP_UP: PaymentObjectKind.INTENT,
    RequestKind.HOLD: PaymentObjectKind.INTENT,
    RequestKind.RAISE: PaymentObjectKind.INTENT,
    RequestKind.CAPTURE: PaymentObjectKind.INTENT,
    RequestKind.RELEASE: PaymentObjectKind.INTENT,
    RequestKind.REFUND: PaymentObjectKind.REFUND,
    RequestKind.PAY_BACK: PaymentObjectKind.REFUND,
}
"""What becomes of a request of each kind."""

AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When what is due whatever clocks say."""
_TELL: LiteralString = """
INSERT INTO provider_object_due AS due (provider, object_id, kind, next_at)
VALUES (%(provider)s, %(object_id)s, %(kind)s, %(at)s)
ON CONFLICT (provider, object_id) DO UPDATE
SET told = due.told + 1, attempts = 0, next_at = least(due.next_at, excluded.next_at)
"""
# Materialized: a join may run a subquery again, which then takes more than its limit.
_CLAIM: LiteralString = """
WITH found AS MATERIALIZED (
    SELECT provider, object_id FROM provider_object_due
    WHERE provider = %(provider)s AND next_at <= %(now)s AND kind = ANY (%(kinds)s)
        AND object_id <> ALL (%(busy)s)
    ORDER BY next_at, object_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE provider_object_due AS due
SET attempts = due.attempts + 1, next_at = %(until)s, reason = ''
FROM found WHERE due.provider = found.provider AND due.object_id = found.object_id
RETURNING due.object_id, due.kind, due.told, due.attempts
"""
_WAKE: LiteralString = """
UPDATE provider_object_due SET next_at = %(now)s
WHERE provider = %(provider)s AND next_at > %(now)s AND attempts > 0 AND reason = ''
"""
_DONE: LiteralString = """
DELETE FROM provider_object_due WHERE provider = %s AND object_id = %s AND told = %s
"""
_OVER: LiteralString = """
DELETE FROM provider_object_due AS due USING unnest(%s::text[], %s::bigint[]) AS over (id, told)
WHERE due.object_id = over.id AND due.told = over.told AND provider = %s
"""
_LATER: LiteralString = """
UPDATE provider_object_due SET next_at = %(at)s, reason = %(reason)s
WHERE provider = %(provider)s AND object_id = %(object_id)s
    AND (told = %(told)s OR next_at > %(at)s)
"""
# A request that waits for its object to become something, and is told of nothing, looks for itself.
_WAITED: LiteralString = """
WITH waited AS (
    UPDATE provider_request_state AS reached SET next_at = %(never)s
    FROM provider_request AS request
    WHERE request.key = reached.key AND reached.state = 'open' AND reached.next_at <= %(now)s
        AND request.provider = %(provider)s AND reached.object_id IS NOT NULL
    RETURNING reached.object_id, request.kind
)
INSERT INTO provider_object_due AS due (provider, object_id, kind, next_at)
SELECT DISTINCT ON (waited.object_id) %(provider)s, waited.object_id, made.object_kind, %(now)s
FROM waited JOIN unnest(%(kinds)s::text[], %(object_kinds)s::text[]) AS made (kind, object_kind)
    USING (kind)
ON CONFLICT (provider, object_id) DO UPDATE
SET told = due.told + 1, next_at = least(due.next_at, excluded.next_at)
"""


class DueObject(NamedTuple):
    """An object to be looked at, as claimed; `kind`: a PaymentObjectKind's value."""

    object_id: str
    kind: str
    told: int
    attempts: int


def tell_of_object(
    connection: Connection[Any],
    provider: str,
    kind: PaymentObjectKind,
    object_id: str,
    at: datetime,
) -> None:
    """Have an object looked at at *at*, or earlier where it is due earlier."""
    told = {"provider": provider, "object_id": object_id, "kind": kind.value, "at": at}
    connection.execute(_TELL, told)


def claim_objects(
    connection: Connection[Any],
    provider: str,
    *,
    now: datetime,
    until: datetime,
    limit: int,
    kinds: Iterable[PaymentObjectKind] = PaymentObjectKind,
    busy: frozenset[str] = frozenset(),
) -> list[DueObject]:
    """Return what of *kinds* is to be looked at by *now*; nobody else is given it before *until*.

    *busy* are ids that are being looked at: what is told of them meanwhile waits.
    """
    asked = {
        "provider": provider,
        "now": now,
        "until": until,
        "limit": limit,
        "kinds": [kind.value for kind in kinds],
        "busy": sorted(busy),
    }
    with connection.cursor(row_factory=class_row(DueObject)) as cursor:
        return cursor.execute(_CLAIM, asked).fetchall()


def wake_claimed(connection: Connection[Any], provider: str, now: datetime) -> None:
    """Have looked at now what somebody was looking at who is gone."""
    connection.execute(_WAKE, {"provider": provider, "now": now})


def object_done(connection: Connection[Any], provider: str, due: DueObject, now: datetime) -> None:
    """Let go of an object that was looked at; where more was told meanwhile, it is due at once."""
    if not connection.execute(_DONE, (provider, due.object_id, due.told)).rowcount:
        look_again(connection, provider, due, at=now, reason="")


def objects_over(connection: Connection[Any], provider: str, over: Sequence[DueObject]) -> None:
    """Let go of objects at which nobody need look; of what was told meanwhile, later again."""
    if over:
        columns = [each.object_id for each in over], [each.told for each in over]
        connection.execute(_OVER, (*columns, provider))


def look_again(
    connection: Connection[Any], provider: str, due: DueObject, *, at: datetime, reason: str
) -> None:
    """Have an object looked at again at *at*, and no later; *reason*: a code, why."""
    asked = {
        "provider": provider,
        "object_id": due.object_id,
        "told": due.told,
        "at": at,
        "reason": reason,
    }
    connection.execute(_LATER, asked)


def wake_waiting(connection: Connection[Any], provider: str, now: datetime) -> int:
    """Have the objects looked at of open requests that want to be by *now*; return how many."""
    asked = {
        "provider": provider,
        "now": now,
        "never": NEVER,
        "kinds": [kind.value for kind in OBJECT_OF],
        "object_kinds": [kind.value for kind in OBJECT_OF.values()],
    }
    return connection.execute(_WAITED, asked).rowcount

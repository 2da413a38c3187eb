"""Payouts as people look at them: what each consists of, to the cent, and what the bank had of it.

charges - fees - refunds - disputes + other = payout = what the bank's statement shows
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

LATE_AFTER: Final = timedelta(days=5)
"""So long after its day a payout's money may take to a statement of ours: holidays, weekends."""
_LISTED: LiteralString = """
SELECT payout.provider, payout.payout_id, payout.legal_entity, payout.currency,
    payout.created_at, arrives_on, amount_minor, lines, charges_minor, fees_minor,
    refunds_minor, disputes_minor, other_minor, unknown, difference_minor, bank_minor,
    unmatched_minor, has_failed
FROM payout CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE rule IN ('payment', 'reversed')),
                 0)::bigint AS charges_minor,
        coalesce(sum(CASE rule WHEN 'fee' THEN fee_minor - amount_minor ELSE fee_minor END),
                 0)::bigint AS fees_minor,
        coalesce(-sum(amount_minor) FILTER (WHERE rule IN ('refund', 'refund_failed')),
                 0)::bigint AS refunds_minor,
        coalesce(-sum(amount_minor) FILTER (WHERE rule = 'dispute'), 0)::bigint AS disputes_minor,
        coalesce(sum(amount_minor) FILTER (
            WHERE rule NOT IN
                ('payment', 'reversed', 'fee', 'refund', 'refund_failed', 'dispute')),
                 0)::bigint AS other_minor,
        count(*) FILTER (WHERE rule = 'unknown') AS unknown
    FROM payout_line AS line
    WHERE line.provider = payout.provider AND line.payout_id = payout.payout_id
) AS sums CROSS JOIN LATERAL (
    SELECT coalesce(sum(minor) FILTER (WHERE account = 'cash:clearing'
                    AND kind NOT IN ('paid_out', 'payout_failed')), 0)::bigint AS bank_minor,
        coalesce(bool_or(kind = 'payout_failed'), false) AS has_failed
    FROM allotment JOIN movement USING (number)
    WHERE document = payout.payout_id AND document <> ''
) AS cleared CROSS JOIN LATERAL (
    SELECT coalesce(sum(minor), 0)::bigint AS unmatched_minor
    FROM (
        SELECT number FROM movement WHERE about = payout.payout_id AND about <> ''
        UNION ALL
        SELECT later.number
        FROM movement AS known
        JOIN movement AS later ON later.about = 'movement:' || known.number AND later.about <> ''
        WHERE known.about = payout.payout_id AND known.about <> '' AND known.kind = 'banked'
    ) AS made JOIN allotment USING (number)
    WHERE account = 'cash:unmatched'
) AS unexplained
WHERE (%(payout_id)s::text IS NULL OR payout.payout_id = %(payout_id)s)
    AND (%(legal_entity)s::text IS NULL OR payout.legal_entity = %(legal_entity)s)
    AND (%(legal_entities)s::text[] IS NULL OR payout.legal_entity = ANY (%(legal_entities)s))
    AND (%(after_at)s::timestamptz IS NULL OR payout.created_at <= %(after_at)s
        AND (payout.created_at < %(after_at)s OR payout.payout_id > %(after_id)s))
    AND (%(since)s::timestamptz IS NULL OR payout.created_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR payout.created_at < %(until)s)
ORDER BY payout.created_at DESC, payout.payout_id LIMIT %(limit)s
"""
_LINES: LiteralString = """
SELECT line_id, line.kind, source_id, line.amount_minor, fee_minor, net_minor, line.created_at,
    rule, movement, booked_minor, movement.kind AS movement_kind,
    coalesce((SELECT array_agg(DISTINCT document ORDER BY document) FROM allotment
              WHERE allotment.number = line.movement AND document <> ''), '{}') AS documents
FROM payout_line AS line LEFT JOIN movement ON movement.number = line.movement
WHERE line.payout_id = %(payout_id)s AND (%(after_at)s::timestamptz IS NULL
    OR (line.created_at, line_id) > (%(after_at)s, %(after_id)s))
ORDER BY line.created_at, line_id LIMIT %(limit)s
"""

_WAITING: LiteralString = """
SELECT object_id, kind, reason, attempts, next_at FROM provider_object_due
WHERE kind IN ('payout', 'dispute') AND reason <> '' ORDER BY kind DESC, object_id
"""
STUCK_AFTER: Final = 10
"""So many looks take an hour or more: what waits then waits for a person."""


class PayoutKey(NamedTuple):
    """Behind which payout, or line of one, a list goes on."""

    at: datetime
    id: str


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    payout_id: str
    legal_entity: str
    currency: str
    created_at: datetime
    arrives_on: date | None
    amount_minor: int
    lines: int
    charges_minor: int
    fees_minor: int
    refunds_minor: int
    disputes_minor: int
    other_minor: int
    unknown: int
    difference_minor: int
    bank_minor: int
    unmatched_minor: int
    has_failed: bool


class ListedPayout(_Row, frozen=True, kw_only=True):
    """A payout, in minor units. What leaves our balance of `refunds` and `disputes` is above 0.

    `difference_minor`: what the payout is more than its lines come to. `bank_minor`: what a
    statement showed of it. `unmatched_minor`: what of it nobody has said yet what it is for, of
    `unknown` lines. `state` is one of STATES.
    """

    state: str

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done about it, or nothing yet."""
        return self.state in {ARRIVED, UNDER_WAY, FAILED}


class ListedPayoutLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a payout, the rule it was booked by, and the movement of ours behind it."""

    line_id: str
    kind: str
    source_id: str | None
    amount_minor: int
    fee_minor: int
    net_minor: int
    created_at: datetime
    rule: str
    movement: int | None
    movement_kind: str | None
    booked_minor: int
    documents: list[str]


class WaitingObject(msgspec.Struct, frozen=True, kw_only=True):
    """A payout or a dispute that is not booked yet, for `reason`: it is looked at at `next_at`."""

    object_id: str
    kind: str
    reason: str
    attempts: int
    next_at: datetime

    @property
    def is_settled(self) -> bool:
        """Whether it waits for no longer than a provider's own disorder takes."""
        return self.attempts < STUCK_AFTER


ARRIVED: Final = "arrived"
UNDER_WAY: Final = "under_way"
FAILED: Final = "failed"
LATE: Final = "late"
DIFFERS: Final = "differs"
UNKNOWN: Final = "unmatched"
STATES: Final = {
    ARRIVED: "a statement of the bank shows it, to the cent",
    UNDER_WAY: "on its way to the bank",
    FAILED: "it came back to the provider: the next one has it",
    LATE: "no statement shows it: import the bank's, then `wattledger payments unmatched`",
    DIFFERS: "its lines, or the bank's, do not come to it: look at `wattledger payouts show`",
    UNKNOWN: "nothing of ours explains some of it: `wattledger payouts match` says what it is for",
}
"""How it may stand with a payout, and what that means."""


def list_payouts(
    connection: Connection[Any],
    now: datetime,
    *,
    legal_entity: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    legal_entities: Sequence[str] | None = None,
    after: PayoutKey | None = None,
) -> Sequence[ListedPayout]:
    """Return payouts as they stand at *now*, the newest first, made in the time that is said.

    *legal_entities*: those within somebody's reach. *after*: behind that one.
    """
    asked = {
        "payout_id": None,
        "legal_entities": None if legal_entities is None else list(legal_entities),
        **_behind(after),
        "legal_entity": legal_entity,
        "since": since,
        "until": until,
        "limit": limit,
    }
    return _listed(connection, asked, now)


def find_payout(connection: Connection[Any], payout_id: str, now: datetime) -> ListedPayout | None:
    """Return a payout as it stands at *now*; None where none of that id was taken."""
    asked = dict.fromkeys(("legal_entity", "legal_entities", "since", "until", "limit"))
    found = _listed(connection, {**asked, **_behind(None), "payout_id": payout_id}, now)
    return found[0] if found else None


def waiting_objects(connection: Connection[Any]) -> Sequence[WaitingObject]:
    """Return the payouts and disputes that were looked at, and could not be booked yet."""
    with connection.cursor(row_factory=class_row(WaitingObject)) as cursor:
        return cursor.execute(_WAITING).fetchall()


def payout_lines(
    connection: Connection[Any],
    payout_id: str,
    *,
    limit: int | None = None,
    after: PayoutKey | None = None,
) -> Sequence[ListedPayoutLine]:
    """Return what a payout consists of, the oldest line first, behind the line *after*."""
    asked = {"payout_id": payout_id, "limit": limit, **_behind(after)}
    with connection.cursor(row_factory=class_row(ListedPayoutLine)) as cursor:
        return cursor.execute(_LINES, asked).fetchall()


def _behind(after: PayoutKey | None) -> dict[str, object]:
    return {"after_at": after.at if after else None, "after_id": after.id if after else ""}


def _listed(
    connection: Connection[Any], asked: dict[str, Any], now: datetime
) -> Sequence[ListedPayout]:
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(_LISTED, asked).fetchall()
    return [ListedPayout(**msgspec.structs.asdict(row), state=_state(row, now)) for row in rows]


def _state(row: _Row, now: datetime) -> str:
    wanted = 0 if row.has_failed else row.amount_minor
    if row.difference_minor or row.bank_minor not in {0, wanted}:
        return DIFFERS
    if row.unmatched_minor:
        return UNKNOWN
    if row.bank_minor == wanted:
        return FAILED if row.has_failed else ARRIVED
    arrives = row.arrives_on or row.created_at.date()
    return LATE if now.date() > arrives + LATE_AFTER else UNDER_WAY

"""Movements of money as people look at them: what happened last first, by the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.payments.movement import MoneyMovement
from ledger.payments.recording import movements

DOCUMENTS_SHOWN_MAX: Final = 100
"""Of a movement for more documents so many are told: `payments show` has all of it."""
_FOUND: LiteralString = """
SELECT number FROM movement
WHERE (%(before)s::bigint IS NULL OR happened_at <= %(before_at)s
       AND (happened_at < %(before_at)s OR number < %(before)s))
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(source)s::text IS NULL OR source = %(source)s
       OR (%(source)s = 'bank' AND source LIKE 'bank:%%'))
  AND (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
  AND (%(legal_entities)s::text[] IS NULL OR legal_entity = ANY (%(legal_entities)s))
  AND (%(since)s::timestamptz IS NULL OR happened_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR happened_at < %(until)s)
  AND (%(party)s::text IS NULL OR number = ANY (ARRAY(
      SELECT number FROM allotment WHERE party = %(party)s AND party <> '')))
  AND (%(document)s::text IS NULL OR number = ANY (ARRAY(
      SELECT number FROM allotment WHERE document = %(document)s AND document <> '')))
  AND (NOT %(is_unmatched)s OR number = ANY (ARRAY(
      SELECT number FROM allotment WHERE account = 'cash:unmatched')))
ORDER BY happened_at DESC, number DESC LIMIT %(limit)s
"""
_MOVED_AT: LiteralString = "SELECT happened_at FROM movement WHERE number = %s"
_NAMES: LiteralString = """
SELECT subject, name FROM subject WHERE kind = 'customer' AND subject = ANY (%s)
"""


class MovementFilter(NamedTuple):
    """Which movements; None: whichever.

    `party`: a customer's subject id, or a partner. `source`: "stripe", "bank:ACCOUNT", or "bank"
    for all accounts at banks. `since` and `until` (exclusive): when the money moved.
    `is_unmatched`: of which something lay, or lies, on `cash:unmatched`. `legal_entities`: those
    within somebody's reach.
    """

    party: str | None = None
    document: str | None = None
    kind: str | None = None
    source: str | None = None
    legal_entity: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_unmatched: bool = False
    legal_entities: Sequence[str] | None = None


class ListedAllotment(msgspec.Struct, frozen=True, kw_only=True):
    """What some of a movement is for; `customer` is the key, or what is left: the subject id."""

    account: str
    customer: str | None
    subject: str | None
    document: str | None
    minor: int


class ListedMovement(msgspec.Struct, frozen=True, kw_only=True):
    """A movement; amounts in whole minor units of its currency. `period`: in whose books it is."""

    number: int
    kind: str
    source: str
    reference: str
    legal_entity: str
    currency: str
    amount_minor: int
    happened_at: datetime
    recorded_by: str
    about: str
    period: str
    allotments: tuple[ListedAllotment, ...]
    allotments_left_out: int = 0

    @property
    def documents(self) -> list[str]:
        """Return what it is for, each document once."""
        named = (each.document for each in self.allotments)
        return [*dict.fromkeys(each for each in named if each)]


def list_movements(
    connection: Connection[Any],
    wanted: MovementFilter,
    *,
    limit: int,
    before: int | None = None,
    is_whole: bool = False,
) -> list[ListedMovement]:
    """Return the movements of *wanted* that happened last, from before the number *before* on.

    *is_whole*: with all that each was for, however much.
    """
    seen = None if wanted.legal_entities is None else list(wanted.legal_entities)
    asked = wanted._asdict() | {"legal_entities": seen, "limit": limit, "before": before}
    moved_at = connection.execute(_MOVED_AT, (before,)).fetchone() if before else None
    # Nothing comes before what there is not.
    asked["before_at"] = moved_at[0] if moved_at else "-infinity"
    numbers = [number for (number,) in connection.execute(_FOUND, asked)]
    found = {each.number: each for each in movements(connection, numbers)}
    shown_max = None if is_whole else DOCUMENTS_SHOWN_MAX
    return listed(connection, [found[each] for each in numbers], shown_max=shown_max)


def listed(
    connection: Connection[Any],
    found: Sequence[MoneyMovement],
    *,
    shown_max: int | None = None,
) -> list[ListedMovement]:
    """Return *found* as they are listed, with at most *shown_max* allotments each."""
    parties = {each.party for movement in found for each in movement.allotments if each.party}
    names = dict(connection.execute(_NAMES, (sorted(parties),)).fetchall())
    return [
        ListedMovement(
            number=movement.number,
            kind=movement.kind.value,
            source=movement.source,
            reference=movement.reference,
            legal_entity=movement.legal_entity,
            currency=movement.currency,
            amount_minor=movement.amount_minor,
            happened_at=movement.happened_at,
            recorded_by=movement.recorded_by,
            about=movement.about,
            period=movement.period,
            allotments=tuple(
                ListedAllotment(
                    account=each.account,
                    customer=names.get(each.party, each.party) or None,
                    subject=each.party or None,
                    document=each.document or None,
                    minor=each.minor,
                )
                for each in movement.allotments[:shown_max]
            ),
            allotments_left_out=len(movement.allotments[shown_max:]) if shown_max else 0,
        )
        for movement in found
    ]

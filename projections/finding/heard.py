"""What a station told of a session, fact by fact, in the order in which it came to us."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.facts.station_facts import Measurand, Reading, StationFact
from ledger.facts.stored import unpack_facts

_HEARD: LiteralString = """
SELECT fact.partition, facts FROM session JOIN fact USING (station_id, transaction_ref)
WHERE session_id = %(session_id)s AND received_until >= first_fact_at
  AND fact.position > %(after)s
ORDER BY position LIMIT %(limit)s
"""

_PAGE: LiteralString = """
SELECT fact.partition, fact.position, facts
FROM session JOIN fact USING (station_id, transaction_ref)
WHERE session_id = %(session_id)s AND received_until >= first_fact_at
  AND fact.position > %(after)s
  -- What names no transaction is the whole station's: what came after the session is not its own.
  AND (transaction_ref NOT IN ('', '-') OR received_until <= last_fact_at + interval '1 hour')
ORDER BY position LIMIT %(limit)s
"""


class HeardFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact; `spot` is where its frame stands in the log (partition/position/line).

    `kind` is what it tells ("started", "updated", "ended"), `occurred_at` when by the station's
    clock, null where it says no time that can be read; `register_wh` the last register it tells.
    """

    spot: str
    kind: str
    received_at: datetime
    occurred_at: datetime | None
    register_wh: Decimal | None
    oddities: tuple[str, ...]


def heard_facts(
    connection: Connection[Any], session_id: str, *, limit: int, after: int = -1
) -> list[HeardFact]:
    """Return facts under the session's transaction from its first one on, *limit* at most.

    *after*: those behind a position in the log. A later session of the same id may follow.
    """
    asked = {"session_id": session_id, "after": after, "limit": limit}
    found: list[HeardFact] = []
    for partition, packed in connection.execute(_HEARD, asked):
        found += [_heard(partition, fact) for fact in unpack_facts(packed)]
    return found[:limit]


def _heard(partition: int, fact: StationFact) -> HeardFact:
    readings: tuple[Reading, ...] = getattr(fact, "readings", ())
    registers = [
        getattr(fact, "meter_start_wh", None),
        *(each.value for each in readings if each.measurand is Measurand.ENERGY_REGISTER_WH),
        getattr(fact, "meter_stop_wh", None),
    ]
    times = [getattr(fact, "occurred_at", None), *(each.occurred_at for each in readings)]
    return HeardFact(
        spot=f"{partition}/{fact.position}/{fact.line}",
        kind=str(fact.__struct_config__.tag),
        received_at=fact.received_at,
        occurred_at=next((each for each in times if each is not None), None),
        register_wh=next((each for each in reversed(registers) if each is not None), None),
        oddities=fact.oddities,
    )


class HeardPage(NamedTuple):
    """Some facts, and behind which position the next ones are; None: there are none."""

    facts: list[HeardFact]
    next_after: int | None


def heard_page(
    connection: Connection[Any], session_id: str, *, limit: int, after: int = -1
) -> HeardPage:
    """Return facts as `heard_facts` does, at least *limit* of them where there are: rows whole."""
    asked = {"session_id": session_id, "after": after, "limit": limit + 1}
    found: list[HeardFact] = []
    last: int | None = None
    for partition, position, packed in connection.execute(_PAGE, asked):
        if len(found) >= limit:
            return HeardPage(found, last)
        found += [_heard(partition, fact) for fact in unpack_facts(packed)]
        last = position
    return HeardPage(found, None)

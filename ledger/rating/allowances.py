"""What sessions used of the grants that they share: counted by key and period, never lost.

A key names tariff, grant and whose it is. The sessions of one key may lie in any partitions, so
their order is nowhere in the log: the worker that comes first takes a number, under a lock of the
key, and the decision records number and standing. A replay takes both from there and checks that
they are the sum of what the decisions before it used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Connection

from ledger.rating.decisions import AllowanceUse, Payer, SessionRated, SessionRevision
from ledger.rating.entitlements import AllowanceKey, Standing
from tariffs.adjustments.consumption import Consumption
from tariffs.adjustments.shared import SharedBy
from tariffs.adjustments.shared_grants import Claim
from tariffs.quantities import plain

# An update that changes nothing: DO NOTHING would neither lock the row nor return it.
_LOCK: LiteralString = """
INSERT INTO allowance_head AS head (key, period, number, energy_wh, seconds, amount_minor, uses)
VALUES (%s, %s, 0, 0, 0, 0, 0) ON CONFLICT (key, period) DO UPDATE SET key = excluded.key
RETURNING head.number, head.energy_wh, head.seconds, head.amount_minor, head.uses
"""
_READ: LiteralString = """
SELECT number, energy_wh, seconds, amount_minor, uses FROM allowance_head
WHERE key = %s AND period = %s
"""
_ADVANCE: LiteralString = """
UPDATE allowance_head SET number = %s, energy_wh = %s, seconds = %s, amount_minor = %s, uses = %s
WHERE key = %s AND period = %s
"""
_LOCK_ALL: LiteralString = "LOCK TABLE allowance_head IN SHARE ROW EXCLUSIVE MODE"
_USE_COPY: LiteralString = """
COPY allowance_use (key, period, number, session_id, revision, before_wh, before_seconds,
    before_minor, before_uses, used_wh, used_seconds, used_minor, used_uses) FROM STDIN
"""


class SharedStandings:
    """How keys stand within one transaction of a worker: read under a lock, written at its end."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._standings: dict[AllowanceKey, Standing] = {}

    def standings(
        self,
        session: SessionRevision,  # noqa: ARG002 - whoever comes first is next
        keys: Sequence[AllowanceKey],
    ) -> tuple[Standing, ...]:
        """Return how *keys* stand; nobody else changes them until this transaction ends."""
        # In one order, or two sessions with the same two keys would wait for each other.
        for key in sorted(set(keys) - self._standings.keys()):
            row = self._connection.execute(_LOCK, key).fetchone()
            assert row is not None
            self._standings[key] = _standing(*row)
        return tuple(self._standings[key] for key in keys)

    def take(self, uses: Iterable[AllowanceUse]) -> None:
        """Count *uses* of a session that was rated; the next session finds them."""
        for use in uses:
            key = AllowanceKey(use.key, use.period)
            self._standings[key] = Standing(use.number, use.used_before + use.used)

    def store(self) -> None:
        """Write how the keys stand, in the caller's transaction, and forget them."""
        with self._connection.cursor() as cursor:
            for key, (number, used) in sorted(self._standings.items()):
                values = (number, used.energy_wh, used.seconds, used.amount_minor, used.uses)
                cursor.execute(_ADVANCE, (*values, *key))
        # The locks end with the transaction, and with them what is known.
        self._standings.clear()


class ReadAllowances:
    """How keys stand at the moment: read, never locked or used."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def standings(
        self,
        session: SessionRevision,  # noqa: ARG002 - for all the same
        keys: Sequence[AllowanceKey],
    ) -> tuple[Standing, ...]:
        """Return how *keys* stand; another session may use them at any time."""
        rows = [self._connection.execute(_READ, key).fetchone() for key in keys]
        return tuple(_standing(*row) if row else Standing() for row in rows)


def _standing(
    number: int, energy_wh: Decimal, seconds: Decimal, amount_minor: int, uses: int
) -> Standing:
    used = Consumption(
        energy_wh=plain(energy_wh), seconds=plain(seconds), amount_minor=amount_minor, uses=uses
    )
    return Standing(number, used)


def lock_all(connection: Connection[Any]) -> None:
    """Wait until nobody holds a key; until the transaction's end nobody else gets one.

    Before any key is locked, or two that do so would wait for each other.
    """
    connection.execute(_LOCK_ALL)


def key_of(
    claim: Claim, *, tariff_id: str, payer: Payer, token_uid: str, groups: Sequence[str]
) -> AllowanceKey:
    """Return under which key a session's *claim* is counted.

    Who has no customer or no group shares with nobody: the token counts by itself.
    """
    match claim.shared_by:
        case SharedBy.CUSTOMER if payer.customer is not None:
            whose = f"customer:{payer.customer}"
        # Groups keep their case in the files and compare without it.
        case SharedBy.GROUP if groups:
            whose = f"group:{groups[0].casefold()}"
        case SharedBy.EVERYBODY:
            whose = "everybody"
        case _:
            whose = f"token:{token_uid}"
    return AllowanceKey(f"{tariff_id}/{claim.name}/{whose}", claim.period)


def store_uses(connection: Connection[Any], decisions: Iterable[SessionRated]) -> None:
    """Append what rated sessions found and used, within the caller's transaction."""
    rows = [(decision.decides, use) for decision in decisions for use in decision.allowances]
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(_USE_COPY) as copy:
        for decides, use in rows:
            key = (use.key, use.period, use.number, *decides)
            copy.write_row((*key, *_amounts(use.used_before), *_amounts(use.used)))


def _amounts(consumption: Consumption) -> tuple[object, ...]:
    return (
        consumption.energy_wh,
        consumption.seconds,
        consumption.amount_minor,
        consumption.uses,
    )

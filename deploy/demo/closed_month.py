"""The two people of the demo's story who close the month, and what the close is held against."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import Connection

from deploy.running.replay import replay_and_compare
from ledger.database import connect, dsn_of
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk.closing.desk import period_desk
from ledger.log.event_log import EventLog
from ledger.periods.periods import AccountingPeriods
from projections.closing.gathering import MonthGathering
from projections.closing.month_balance import month_balance, moved_minor, read_balance
from projections.closing.period_list import came_afterwards
from projections.closing.period_scope import PeriodScope

SOFT_CLOSED_BY: Final = "mara"
CLOSED_BY: Final = "jonas"
REASON: Final = "looked into; what it comes to goes into the month in which it is settled"


class ClosedPeriods(msgspec.Struct, frozen=True, kw_only=True):
    """How many months were closed, and by how much their trial balances moved since.

    `entries_afterwards` are about a closed month and stand in a later one.
    """

    closed: int
    trial_balance_moved_minor: int
    entries_afterwards: int


def close_month(dsn: str, log: EventLog, month: str, *, at: datetime) -> None:
    """Close *month* of every legal entity by its checklist, as `wattledger period` does.

    Beside a running system: one person soft-closes it, another one signs off what is left, and
    closes it.
    """
    with connect(dsn) as connection, period_desk(connection, log, None) as desk:
        for legal_entity in load_declarations(connection).keys(Kind.LEGAL_ENTITY):
            desk.soft_close(legal_entity, month, by=SOFT_CLOSED_BY, at=at)
        # One replay is of all of them.
        report = replay_and_compare(dsn, log)
        for legal_entity in load_declarations(connection).keys(Kind.LEGAL_ENTITY):
            scope = PeriodScope(connection, legal_entity, month)
            kept = MonthGathering(connection, scope, replay=lambda: report).kept()
            for item in kept.checklist:
                if not item.is_empty:
                    desk.sign_off(legal_entity, month, item, by=CLOSED_BY, at=at, reason=REASON)
            desk.close(legal_entity, month, kept, by=CLOSED_BY, at=at)


def find_closed_periods(connection: Connection[Any]) -> ClosedPeriods:
    """Return what became of the closed months: their books of now beside what was kept."""
    with AccountingPeriods(dsn_of(connection)) as periods:
        closed = [each for each in periods.periods() if each.is_closed]
    moved = afterwards = 0
    for each in closed:
        now = month_balance(connection, each.month, legal_entity=each.legal_entity)
        moved += moved_minor(read_balance(each.closes[-1].trial_balance), now)
        afterwards += came_afterwards(connection, each.legal_entity, each.month, limit=1).count
    return ClosedPeriods(
        closed=len(closed), trial_balance_moved_minor=moved, entries_afterwards=afterwards
    )

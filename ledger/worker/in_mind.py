"""Which sessions of a station take part in a decision: rules about rows alone."""

from __future__ import annotations

from collections.abc import Collection

from ledger.rating.decisions import Moment
from ledger.sessions.states import DECIDED
from ledger.worker.session_rows import NEXT_DAY, RECENT, SessionRow, StationMemory


def transactions_in_mind(memory: StationMemory, named: Collection[str], moment: Moment) -> set[str]:
    """Return the transactions that take part: unfinished or named, their neighbours, late ones."""
    since = moment.at - RECENT
    unfinished = memory.unfinished()
    return {
        row.transaction_ref
        for row in memory.rows.values()
        if row.is_unfinished
        or row.last_fact_at >= since
        or row.transaction_ref in named
        or any(_is_neighbour(row, other) for other in unfinished)
    }


def decided_for_good(memory: StationMemory, transactions: Collection[str]) -> set[str]:
    """Return those of *transactions* of which every session is decided for good."""
    states: dict[str, set[bool]] = {each: set() for each in transactions}
    for row in memory.rows.values():
        if row.transaction_ref in states:
            states[row.transaction_ref].add(row.state in DECIDED)
    return {transaction for transaction, each in states.items() if each == {True}}


def _is_neighbour(row: SessionRow, other: SessionRow) -> bool:
    """Whether *row* may be what came after *other* at the same place."""
    is_same_place = None in (row.evse_id, other.evse_id) or row.evse_id == other.evse_id
    return is_same_place and row.last_fact_at >= other.first_fact_at


def is_around(row: SessionRow, other: SessionRow) -> bool:
    """Whether *row* may bear on *other*: `load_around` as a condition."""
    until = other.last_fact_at + NEXT_DAY
    return row.last_fact_at >= other.first_fact_at and row.first_fact_at <= until

"""A process that closes March and opens it again, over and over, until somebody kills it."""

from __future__ import annotations

from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import PeriodState
from tests.ledger.desk.closing.books_of_march import (
    ENTITY,
    IN_APRIL,
    MARCH,
    desk_of,
    nothing_kept,
)


def state_of(dsn: str) -> str:
    """Return how far March is."""
    with AccountingPeriods(dsn) as periods:
        return periods.find(ENTITY, MARCH).state


def close_for_ever(dsn: str) -> None:
    """Soft-close, close, ask for it to be opened, open: each time as two people do."""
    while True:
        # As it is opened the desk carries what a kill left behind, and takes the worker's turn.
        with desk_of(dsn) as desk:
            match state_of(dsn):
                case PeriodState.OPEN:
                    desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
                case PeriodState.SOFT_CLOSED:
                    desk.check_close(ENTITY, MARCH, by="bob")
                    desk.close(ENTITY, MARCH, nothing_kept(dsn), by="bob", at=IN_APRIL)
                case PeriodState.CLOSED:
                    desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="a mistake")
                case _:
                    desk.reopen(ENTITY, MARCH, by="bob", at=IN_APRIL, reason="a mistake")

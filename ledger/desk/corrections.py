"""Having many sessions corrected: a choice line for each, some at a time; or all of them at once.

Some at a time may be ended and begun again at any moment: a session that costs what it should by
then is not corrected a second time, whatever the log asks for. What one decision gives back of many
sessions is said in one transaction: all of it is in the log sooner or later, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from ledger.database import dsn_of
from ledger.desk.recording import NotTakenYetError, WorkOff, check_reason, wait_for
from ledger.log.envelope import Choice, encode_line
from ledger.log.event_log import EventLog, Position, partition_of
from ledger.log.outbox import carried_up_to, carry, put_all

AT_ONCE: Final = 500
"""So many lines are put, carried and waited for together."""


def correct_all(
    connection: Connection[Any],
    choices: Sequence[Choice],
    *,
    log: EventLog,
    work_off: WorkOff | None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Record *choices*, each in its station's partition; return once the worker has taken them.

    Args:
        connection: To the books, outside a transaction.
        choices: Each about another session.
        log: Where they are to stand.
        work_off: How the worker's turn is taken where no system is up.
        told: Told how many of how many are done.

    Raises:
        ReasonlessChoiceError: If one has no reason; then none is recorded.
        NotCarriedError: If the log cannot take them now.
        NotTakenYetError: If the worker does not take them in time; all of them are recorded.
    """
    for reason in {each.reason for each in choices}:
        check_reason(reason)
    late: NotTakenYetError | None = None
    for done in range(0, len(choices), AT_ONCE):
        some = choices[done : done + AT_ONCE]
        last = _say(connection, some, log, lambda: None)
        if work_off is not None:
            work_off(dsn_of(connection), log)
        if late is None:
            late = _wait_for_all(connection, last)
        told(done + len(some), len(choices))
    if late is not None:
        raise late


def give_back_all(
    connection: Connection[Any],
    choices: Sequence[Choice],
    *,
    log: EventLog,
    work_off: WorkOff | None,
    beside: Callable[[], None],
) -> None:
    """Record *choices* together, all or none; return once the worker has taken them.

    Args:
        connection: To the books, outside a transaction.
        choices: Each about another session.
        log: Where they are to stand.
        work_off: How the worker's turn is taken where no system is up.
        beside: Writes what belongs to them, in their transaction.

    Raises:
        NotCarriedError: If the log cannot take them now.
        NotTakenYetError: If the worker does not take them in time; all of them are recorded.
    """
    last = _say(connection, choices, log, beside)
    if work_off is not None:
        work_off(dsn_of(connection), log)
    late = _wait_for_all(connection, last)
    if late is not None:
        raise late


def _say(
    connection: Connection[Any],
    choices: Sequence[Choice],
    log: EventLog,
    beside: Callable[[], None],
) -> list[Position]:
    """Record *choices* in one transaction; return where the last in each partition stands."""
    lines = [
        (partition_of(each.station, partitions=log.partitions), encode_line(each))
        for each in choices
    ]
    with connection.transaction():
        beside()
        numbers = put_all(connection, lines, partitions=log.partitions)
    carry(connection, log)
    last = {partition: number for (partition, _), number in zip(lines, numbers, strict=True)}
    return [carried_up_to(connection, log, last[each], each) for each in sorted(last)]


def _wait_for_all(
    connection: Connection[Any], places: Iterable[Position]
) -> NotTakenYetError | None:
    """Return once the worker has taken the lines at these *places*; or why nobody waits longer."""
    for at in places:
        try:
            wait_for(connection, at)
        except NotTakenYetError as error:
            return error
    return None

"""Having many sessions corrected: a choice line for each, some at a time.

May be ended and begun again at any moment: a session that costs what it should by then is not
corrected a second time, whatever the log asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from ledger.database import dsn_of
from ledger.desk.recording import NotTakenYetError, WorkOff, wait_for
from ledger.log.envelope import Choice, encode_line
from ledger.log.event_log import EventLog, partition_of
from ledger.log.outbox import carried_to, carry, put

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
        NotCarriedError: If the log cannot take them now.
        NotTakenYetError: If the worker does not take them in time; all of them are recorded.
    """
    late: NotTakenYetError | None = None
    for done in range(0, len(choices), AT_ONCE):
        some = choices[done : done + AT_ONCE]
        last: dict[int, int] = {}
        with connection.transaction():
            for each in some:
                partition = partition_of(each.station, partitions=log.partitions)
                lines = {partition: encode_line(each)}
                [last[partition]] = put(connection, lines, partitions=log.partitions)
        carry(connection, log)
        if work_off is not None:
            work_off(dsn_of(connection), log)
        if late is None:
            late = _wait_for_all(connection, last.values())
        told(done + len(some), len(choices))
    if late is not None:
        raise late


def _wait_for_all(connection: Connection[Any], numbers: Iterable[int]) -> NotTakenYetError | None:
    """Return once the worker has taken these lines of the outbox; or why nobody waits longer."""
    for number in numbers:
        at = carried_to(connection, number)
        assert at is not None, number
        try:
            wait_for(connection, at)
        except NotTakenYetError as error:
            return error
    return None

"""What a worker finds out about itself when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from deploy.observing import metrics
from deploy.observing.books import BooksReader, BooksState, away, books_state, readable
from deploy.observing.metrics import Reported, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from ledger.asides.aside import AsideStep
from ledger.log.event_log import EventLog
from ledger.sessions.states import SessionState
from ledger.worker.position import Lag, lags

LAG_SECONDS_MAX: Final = 300.0
"""How old the oldest line that waits may be, before a worker is said to be behind."""


class WorkerCondition:
    """A worker: the books can be read, no partition rests, it is not far behind the log."""

    def __init__(
        self,
        dsn: str,
        log: EventLog,
        *,
        resting: Callable[[], Sequence[int]],
        now: Callable[[], datetime],
    ) -> None:
        """Prepare; *log* is for this object alone."""
        books, positions = BooksReader(dsn), BooksReader(dsn)
        self._books = Sample(lambda: books.ask(books_state))
        self._lags = Sample(lambda: positions.ask(lambda connection: lags(connection, log)))
        self._resting, self._now = resting, now

    def __call__(self) -> Condition:
        """Find out."""
        books, behind, resting = self._books.look(), self._lags.look(), self._resting()
        ages = {lag.partition: self._age(lag) for lag in behind.value or ()}
        unready = away(books, behind)
        if resting:
            named = ", ".join(map(str, resting))
            why = f"partitions rest after an error, which the log file has: {named}"
            unready.append(Unready("resting", why))
        late = {each: seconds for each, seconds in ages.items() if seconds > LAG_SECONDS_MAX}
        if late:
            worst = max(late, key=lambda each: late[each])
            more = f" (and {len(late) - 1} other partitions)" if len(late) > 1 else ""
            why = f"partition {worst} is {late[worst]:.0f} s behind{more}"
            unready.append(Unready("lagging", why))
        return Condition(
            unready,
            [
                readable(books, behind),
                report(metrics.RESTING, len(resting)),
                *_of_lags(behind.value or (), ages),
                *(_of_books(books.value) if books.value else ()),
            ],
        )

    def _age(self, lag: Lag) -> float:
        if lag.since is None:
            return 0.0
        return max(0.0, (self._now() - lag.since) / timedelta(seconds=1))


def _of_lags(behind: Sequence[Lag], ages: dict[int, float]) -> list[Reported]:
    return [
        report(metrics.LAG_LINES, {str(lag.partition): lag.lines for lag in behind}),
        report(metrics.LAG_RECORDS, {str(lag.partition): lag.records for lag in behind}),
        report(metrics.LAG_SECONDS, {str(each): seconds for each, seconds in ages.items()}),
    ]


def _of_books(state: BooksState) -> list[Reported]:
    return [
        report(metrics.RECORDS_TAKEN, {str(each): n for each, n in state.records.items()}),
        report(metrics.DECISIONS, {str(each): n for each, n in state.decisions.items()}),
        report(metrics.SESSIONS, dict.fromkeys(map(str, SessionState), 0) | state.sessions),
        report(metrics.SET_ASIDE, dict.fromkeys(map(str, AsideStep), 0) | state.set_aside),
        report(metrics.OUTBOX_WAITING, state.outbox),
    ]

"""Transactions at rest: one session each, decided for good, of which a window is all that counts.

Nearly all that a station said of late is of this kind. Which of it takes part hangs on the time
and on what is unfinished, and from one record to the next hardly anything comes or goes. So they
are kept in the order in which they were heard of last, and a look moves a border in it; who follows
reads in `moved` what that changed. A session heard of last at 09:00 takes part

    until 11:00 (RECENT), and longer for as long as one is unfinished at its EVSE that was
    heard of first by 09:00
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from ledger.facts.station_facts import SessionStarted, StationFact
from ledger.sessions.segments import is_without_id
from ledger.worker.judging.extent import Extent
from ledger.worker.session_rows import BEGINNING, NEVER, SessionRow


class _AtEvse:
    """Those of one EVSE by when they were heard of last; from `index` on they take part.

    Which are those heard of `since` a moment.
    """

    __slots__ = ("index", "order", "since")

    def __init__(self) -> None:
        self.order: list[tuple[datetime, str]] = []
        self.index, self.since = 0, NEVER

    def move(self, since: datetime) -> tuple[list[str], list[str]]:
        """Let those take part that were heard of *since*; return which come and which go."""
        was, self.since = self.index, since
        self.index = now = bisect_left(self.order, (since, ""))
        come, gone = self.order[now:was], self.order[was:now]
        return [key for _, key in come], [key for _, key in gone]


class AtRest:
    """By transaction; `extents` are those that take part, as of the last look.

    `moved` tells of each transaction that came among them or went, in that order; whoever follows
    remembers how far it read. `unproved` are those of them not yet known to have all their rows in
    mind.
    """

    __slots__ = ("_at_evse", "_began", "_ended", "_known", "_odd", "_proved", "extents", "moved",
                 "unproved")  # fmt: skip

    def __init__(self) -> None:
        self._at_evse: dict[int | None, _AtEvse] = {}
        self._known: dict[str, tuple[int | None, datetime, Extent]] = {}
        self._odd: set[str] = set()
        self._proved: set[str] = set()
        self._began = self._ended = BEGINNING
        self.extents: dict[str, Extent] = {}
        self.moved: list[str] = []
        self.unproved: set[str] = set()

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._known

    def put(self, transaction: str, row: SessionRow) -> None:
        """Have the only session of *transaction*, decided for good, among them."""
        self.drop(transaction)
        evse, last, extent = row.evse_id, row.last_fact_at, Extent([row], row.begins, None)
        self._known[transaction] = evse, last, extent
        at_evse = self._at_evse.setdefault(evse, _AtEvse())
        insort(at_evse.order, (last, transaction))
        if last >= at_evse.since:
            self._come(transaction)
        else:
            at_evse.index += 1
        if row.window is not None or row.started_at is None or row.ended_at is None:
            self._odd.add(transaction)
        self._began = max(self._began, row.started_at or BEGINNING)
        self._ended = max(self._ended, row.ended_at or BEGINNING)

    def drop(self, transaction: str) -> None:
        """Forget *transaction*, if it is among them."""
        evse, last, _ = self._known.pop(transaction, (None, None, None))
        if last is None:
            return
        at_evse = self._at_evse[evse]
        del at_evse.order[bisect_left(at_evse.order, (last, transaction))]
        if last >= at_evse.since:
            self._go(transaction)
        else:
            at_evse.index -= 1
        self._odd.discard(transaction)
        self._proved.discard(transaction)

    def prove(self, transactions: Collection[str]) -> None:
        """Note that all rows of *transactions*, which take part, are in mind.

        They are from now on: what is let go of is older.
        """
        self._proved.update(transactions)
        self.unproved.difference_update(transactions)

    def look(self, since: datetime, unfinished: Iterable[SessionRow]) -> None:
        """Let those take part that were heard of *since*, or beside one that is *unfinished*."""
        began: dict[int | None, datetime] = {}
        for row in unfinished:
            began[row.evse_id] = min(began.get(row.evse_id, NEVER), row.first_fact_at)
        anywhere = min(since, began.get(None, NEVER))
        for evse, at_evse in self._at_evse.items():
            beside = began.values() if evse is None else (began.get(evse, NEVER),)
            if (here := min([anywhere, *beside])) == at_evse.since:
                continue
            come, gone = at_evse.move(here)
            for transaction in come:
                self._come(transaction)
            for transaction in gone:
                self._go(transaction)

    def were_over(self, at: datetime) -> bool:
        """Whether all of them are known to have begun before *at* and ended by then."""
        return not self._odd and self._began < at and self._ended <= at

    def ended_by(self, at: datetime) -> bool:
        """Whether all of them that ended are known to have done so by *at*."""
        return self._ended <= at

    def _come(self, transaction: str) -> None:
        self.extents[transaction] = self._known[transaction][2]
        self.moved.append(transaction)
        if transaction not in self._proved:
            self.unproved.add(transaction)

    def _go(self, transaction: str) -> None:
        del self.extents[transaction]
        self.unproved.discard(transaction)
        self.moved.append(transaction)


class Extents(Mapping[str, Extent]):
    """Which transactions take part at a record: those at `rest`, and the `others` before them."""

    __slots__ = ("others", "rest")

    def __init__(self, others: dict[str, Extent], rest: AtRest) -> None:
        self.others, self.rest = others, rest

    def __getitem__(self, transaction: str) -> Extent:
        found = self.others.get(transaction)
        return self.rest.extents[transaction] if found is None else found

    def __iter__(self) -> Iterator[str]:
        others = self.others
        return chain(others, (key for key in self.rest.extents if key not in others))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def first_start(
    extents: Extents, named: Mapping[str, Sequence[StationFact]]
) -> SessionStarted | None:
    """Return the start that is all that a record tells, of a transaction that is new.

    None too where another session takes part that is not decided, or may not have been over by
    then.
    """
    if len(named) != 1:
        return None
    ((transaction, facts),) = named.items()
    start = facts[0] if len(facts) == 1 else None
    if not isinstance(start, SessionStarted) or is_without_id(transaction):
        return None
    at = start.occurred_at
    if at is None or at.tzinfo is not UTC or extents.others[transaction].rows:
        return None  # a time without a zone cannot be compared yet
    if not extents.rest.were_over(at):
        return None
    for key, each in extents.others.items():
        if key != transaction and not (each.facts_from is None and each.was_over(at)):
            return None
    return start

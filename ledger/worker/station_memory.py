"""What the worker has in mind about a station: the sessions that a frame may still change.

An id that is started again and again has many sessions, and what is dated after a start concerns
no session before it. So of a transaction the last sessions are in mind, none of them left out;
`covered` says from when on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Final

from ledger.facts.station_facts import SessionUpdated, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import dated, is_without_id
from ledger.sessions.states import DECIDED, SessionState
from ledger.worker.judging.at_rest import AtRest, Extents
from ledger.worker.judging.extent import Extent, is_neighbour
from ledger.worker.loose_facts import NO_TRANSACTION
from ledger.worker.session_rows import (
    AT_REST,
    BEGINNING,
    NEVER,
    RECENT,
    SessionRow,
    WaitsSince,
)

_FEW: Final = 8
_MOVED_MAX: Final = 10_000
"""So much is noted of what came to rest or went; then whoever follows compares all of it."""
CROWD: Final = 128
"""So many starts of one station end a group of records, which then lets go of what is over."""


class StationMemory:
    """Rows by session and by transaction, there oldest first and without replaced ones.

    `plain` are the transactions whose last sessions all lack their end, with these rows: a reading
    in one of them changes no decision and needs no fold. `rest` are those with one session, which
    is decided: a window alone; `going_on` all others. `owned` are the transactions whose frames
    carry an id that the station may use. `waiting_since` is the last fact of the session that has
    waited longest, None where none waits. `covered` says from when on all sessions of a transaction
    are in mind (BEGINNING: all), `since` from when on everything heard of is. `begun` is how many
    starts came since it last let go of what is over.
    `unfinished` are the rows that no decision was taken about, as of the last `settle`.
    """

    __slots__ = (
        "_by_transaction",
        "begun",
        "covered",
        "going_on",
        "heard_at",
        "kept",
        "of_transaction",
        "owned",
        "plain",
        "rest",
        "rows",
        "since",
        "unfinished",
        "waiting_since",
    )

    def __init__(self) -> None:
        self.rows: dict[str, SessionRow] = {}
        self._by_transaction: dict[str, dict[str, SessionRow]] = {}
        self.of_transaction: dict[str, list[SessionRow]] = {}
        self.going_on: dict[str, list[SessionRow]] = {}
        self.plain: dict[str, list[SessionRow]] = {}
        self.rest = AtRest()
        self.owned: set[str] = set()
        self.covered: dict[str, datetime] = {}
        self.waiting_since: datetime | None = None
        self.unfinished: list[SessionRow] = []
        self.heard_at, self.since, self.kept, self.begun = BEGINNING, NEVER, 0, 0

    def hold(self, row: SessionRow) -> None:
        """Have *row* in mind; what it means says `settle`."""
        self.rows[row.session_id] = row
        self._by_transaction.setdefault(row.transaction_ref, {})[row.session_id] = row

    def drop(self, row: SessionRow) -> None:
        """Forget *row*; what that means says `settle`."""
        del self.rows[row.session_id]
        some = self._by_transaction[row.transaction_ref]
        del some[row.session_id]
        if not some:
            del self._by_transaction[row.transaction_ref]

    def settle(self, touched: Collection[str] | None = None) -> None:
        """Work out again what the rows mean for the frames to come.

        *touched*: the transactions of which rows came, went or changed; None: any may have.
        """
        rows: Iterable[SessionRow]
        if touched is None:
            rows = self.rows.values()
            self.of_transaction, self.plain, self.going_on = {}, {}, {}
            self.owned, self.unfinished, self.rest = set(), [], AtRest()
        else:
            named = [self._by_transaction.get(transaction, {}) for transaction in touched]
            rows = [row for some in named for row in some.values()]
            for transaction in touched:
                for known in (self.of_transaction, self.plain, self.going_on):
                    known.pop(transaction, None)
                self.rest.drop(transaction)
            self.owned.difference_update(touched)
            self.unfinished = [r for r in self.unfinished if r.transaction_ref not in touched]
        transactions: dict[str, list[SessionRow]] = {}
        for row in rows:
            if row.state is SessionState.REPLACED:
                continue
            transactions.setdefault(row.transaction_ref, []).append(row)
            if row.is_unfinished:
                self.unfinished.append(row)
            # A stop of nobody's makes a session too, but its id is no more the station's for it.
            if row.started_at is not None:
                self.owned.add(row.transaction_ref)
        waiting = (row for row in self.unfinished if row.state is SessionState.WAITING)
        self.waiting_since = min((row.last_fact_at for row in waiting), default=None)
        for transaction, some in transactions.items():
            self._settle_transaction(transaction, some)

    def _settle_transaction(self, transaction: str, rows: list[SessionRow]) -> None:
        shared: set[datetime] = set()
        if len(rows) > 1:
            rows.sort(key=lambda row: (row.begins, row.session_id))
            # Of a run it takes the fold to say whose a reading is.
            shared = {one.begins for one, next_ in pairwise(rows) if one.begins == next_.begins}
        lacking = len(rows)
        while lacking and rows[lacking - 1].lacks_end:
            if rows[lacking - 1].begins in shared:
                break
            lacking -= 1
        if lacking < len(rows):
            self.plain[transaction] = rows[lacking:]
        self.of_transaction[transaction] = rows
        if len(rows) == 1 and rows[0].state in DECIDED:
            self.rest.put(transaction, rows[0])
        else:
            self.going_on[transaction] = rows

    def extents(self, named: Mapping[str, datetime], at: datetime) -> Extents:
        """Return the transactions that take part *at* a moment; good until the next look.

        *named* tells since when one is concerned. Of one at rest it is the very same as long as
        nothing of it changes.
        """
        since, unfinished = at - RECENT, self.unfinished
        if len(self.rest.moved) > _MOVED_MAX:
            self.settle()
        self.rest.look(since, unfinished)
        # What was last heard of before is no neighbour either.
        cut = min([since, *(row.first_fact_at for row in unfinished)])
        found: dict[str, Extent] = {}
        concerned = [(key, self.of_transaction[key]) for key in named if key in self.rest]
        for transaction, rows in chain(self.going_on.items(), concerned):
            in_mind = [
                row
                for row in rows
                if row.last_fact_at >= since
                or row.is_unfinished
                or (row.last_fact_at >= cut and any(is_neighbour(row, each) for each in unfinished))
            ]
            begins = [row.begins for row in in_mind]
            if transaction in named:
                begins.append(named[transaction])
            if not begins:
                continue
            told_from = min(begins)
            if not is_without_id(transaction):
                in_mind = [row for row in rows if row.begins >= told_from]
            needed = [row.begins for row in in_mind if row.state not in DECIDED]
            if transaction in named:
                needed.append(named[transaction])
            found[transaction] = Extent(in_mind, told_from, min(needed, default=None))
        for transaction in named.keys() - found.keys():
            found[transaction] = Extent([], BEGINNING, BEGINNING)
        return Extents(found, self.rest)

    def absorb(self, rows: Iterable[SessionRow], since: datetime) -> None:
        """Have in mind what was heard of *since* then, and every later session of each one's id."""
        self.since = min(self.since, since)
        for row in rows:
            if row.session_id not in self.rows:
                self.hold(row)
            self.heard_at = max(self.heard_at, row.heard_at)
            if not is_without_id(row.transaction_ref):
                known = self.covered.get(row.transaction_ref, row.begins)
                self.covered[row.transaction_ref] = min(known, row.begins)
        self.settle()

    def learn(self, rows: Iterable[SessionRow], wanted: Mapping[str, datetime]) -> None:
        """Have in mind what was read of the *wanted* transactions for something dated then."""
        begins: dict[str, datetime] = {}
        for row in rows:
            if row.session_id not in self.rows:
                self.hold(row)
            known = begins.get(row.transaction_ref, row.begins)
            begins[row.transaction_ref] = min(known, row.begins)
        for transaction, at in wanted.items():
            # Where none began by then, all of them were read.
            first = begins.get(transaction, BEGINNING)
            self.covered[transaction] = first if first <= at else BEGINNING
        if begins:
            self.settle()

    def lacks(self, transaction: str, at: datetime) -> bool:
        """Whether sessions may be missing that something dated *at* belongs to."""
        covered = self.covered.get(transaction)
        return (covered is None or at < covered) and not is_without_id(transaction)

    def lacking(self, extents: Extents) -> dict[str, datetime]:
        """Return of which transactions in *extents* sessions may be missing, and since when."""
        found = self._lacking(extents.others)
        rest = extents.rest
        if rest.unproved:
            taking_part = {key: rest.extents[key] for key in rest.unproved}
            lacking = self._lacking(taking_part)
            rest.prove(taking_part.keys() - lacking.keys())
            found = {**lacking, **found}
        return found

    def _lacking(self, extent: Mapping[str, Extent]) -> dict[str, datetime]:
        covered = self.covered
        return {
            transaction: each.told_from
            for transaction, each in extent.items()
            if each.told_from < covered.get(transaction, NEVER) and not is_without_id(transaction)
        }

    def lying_at(self, place: int, at: datetime) -> list[SessionRow]:
        """Return the rows that had begun at *place* and were not over *at* a moment."""
        rows: Iterable[SessionRow] = self.rows.values()
        # Nearly always: what is told is of now. Of before `since` rows may be held by chance.
        if at >= self.since and self.rest.ended_by(at):
            rows = chain.from_iterable(self.going_on.values())
        return [row for row in rows if row.lies_at(place, at)]

    def is_split(self, transaction: str) -> bool:
        """Whether it takes a date to know which session of *transaction* is meant."""
        rows = self.of_transaction.get(transaction)
        return bool(rows and rows[-1].facts_from is not None)

    def date(
        self, facts: Iterable[StationFact], transaction: str, traits: StationTraits
    ) -> datetime:
        """Return since when the sessions of *transaction* are concerned by *facts*."""
        if not self.is_split(transaction):
            return BEGINNING
        return self.begins(transaction, min(dated(fact, traits) for fact in facts))

    def begins(self, transaction: str, at: datetime) -> datetime:
        """Return from when on the session tells that something dated *at* belongs to."""
        rows = self.of_transaction.get(transaction, ())
        index = bisect_right(rows, at, key=_begins)
        return rows[index - 1].begins if index else BEGINNING

    def row_read_on(
        self,
        fact: SessionUpdated,
        at: datetime,
        traits: Callable[[str, datetime], StationTraits],
    ) -> SessionRow | None:
        """Return the row of a session without end that *fact*, received *at*, only reads on."""
        rows = self.plain.get(fact.transaction_ref or NO_TRANSACTION)
        if rows is None:
            return None
        row: SessionRow | None = rows[0]
        if len(rows) > 1 or rows[0].facts_from is not None:
            index = bisect_right(rows, dated(fact, traits(fact.station_id, at)), key=_begins)
            row = rows[index - 1] if index else None
        if row is None or row.is_elsewhere(fact) or row.is_named_by(fact):
            return None
        return row

    @property
    def waits_since(self) -> WaitsSince:
        """Since when its unfinished sessions wait."""
        found = [row.waits_since(self.heard_at) for row in self.unfinished]
        if len(found) <= 1:  # nearly always
            return found[0] if found else AT_REST
        return WaitsSince(
            min((each.silent_since for each in found if each.silent_since), default=None),
            min((each.waiting_since for each in found if each.waiting_since), default=None),
        )

    @property
    def is_crowded(self) -> bool:
        """Whether so many sessions began that each further look at them all costs too much."""
        return self.begun >= CROWD

    @property
    def is_waiting(self) -> bool:
        """True while an ended session waits for what is missing."""
        return self.waiting_since is not None

    def is_overdue(self, at: datetime, wait: timedelta) -> bool:
        """Whether at *at* a session has waited for as long as *wait*: then time decides it."""
        return self.waiting_since is not None and self.waiting_since + wait <= at

    def decided_of(self, windows: Iterable[Window]) -> list[tuple[SessionRow, Window]]:
        """Return the rows that are decided for good among those of *windows*, with them."""
        return [
            (row, window)
            for window in windows
            for row in self.of_transaction.get(window.transaction_ref, ())
            if row.state in DECIDED and row.is_of(window)
        ]

    def unfinished_of(self, token_uid: str | None) -> SessionRow | None:
        """Return the newest unfinished session of a token."""
        rows = [row for row in self.unfinished if token_uid and row.token_uid == token_uid]
        # The id breaks ties, so that a replay chooses the same.
        return max(rows, key=lambda row: (row.first_fact_at, row.session_id), default=None)

    def let_go(self, before: datetime) -> None:
        """Forget sessions that were over before *before* and before every unfinished session.

        What came after one that stays stays too. Only where enough came to be worth it.
        """
        self.begun = 0
        if len(self.rows) < self.kept + max(_FEW, self.kept // 4):
            return
        since = min([before, *(row.first_fact_at for row in self.unfinished)])
        self.since = max(self.since, since)
        kept: dict[str, datetime] = {}
        for row in self.rows.values():
            if row.is_unfinished or row.last_fact_at >= since:
                known = kept.get(row.transaction_ref, row.begins)
                kept[row.transaction_ref] = min(known, row.begins)
        self.covered = {
            transaction: max(covered, kept[transaction])
            for transaction, covered in self.covered.items()
            if transaction in kept
        }
        self.rows = {
            key: row
            for key, row in self.rows.items()
            if row.transaction_ref in kept
            and row.begins >= kept[row.transaction_ref]
            and (
                not is_without_id(row.transaction_ref)
                or row.is_unfinished
                or row.last_fact_at >= since
            )
        }
        self.kept = len(self.rows)
        self._by_transaction = {}
        for row in self.rows.values():
            self._by_transaction.setdefault(row.transaction_ref, {})[row.session_id] = row
        self.settle()


def _begins(row: SessionRow) -> datetime:
    return row.begins

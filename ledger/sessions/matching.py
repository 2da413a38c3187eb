"""Where a station's sessions lie in time, and which of them takes each frame without a valid id.

A window reaches from a session's start to its stop; without a stop it ends where the next session
at the same place starts, or is open. So one late start can shorten the window before it, and with
that free or bind readings that came hours ago:

    session 1 on connector 1: 08:00 to 09:00; session 2 there: from 10:00
    reading without id at 09:02 -> in no window: unmatched
    reading without id at 10:10 -> session 2
    a stop with id 2 comes late and is dated 10:05 -> the reading of 10:10 is unmatched again

Only a session's own frames bound its window. A stop that was matched bounds none, or one loose
frame would decide about the next, and their order would count.

To fit every loose frame to every window anew at each frame is the simple way, but for a station
that empties a long queue its effort grows with the square. So both are kept up to date window by
window, and what did not change is not looked at again. It must come to the same as doing all anew
(test_touched_names_every_transaction_whose_sessions_change_as_facts_come_and_go).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import LooseFrame, SessionFrame, Window, fits, loose_frame_of
from ledger.sessions.segments import Source, source_of

WindowKey = tuple[datetime, str, int]
"""A window's start, its transaction, and its number among the transaction's sessions."""


class Matching:
    """The windows of one station and the loose frames. What it says depends on them alone."""

    def __init__(self, traits: StationTraits) -> None:
        self._traits = traits
        self._own: dict[str, tuple[Window, ...]] = {}
        self._linked: dict[WindowKey, Window] = {}
        self._rows: dict[int, list[WindowKey]] = {}
        self._loose: dict[Source, LooseFrame] = {}
        self._fitting: dict[Source, list[Window]] = {}
        self._attached: dict[str | None, set[Source]] = {}
        self._named: dict[str, set[Source]] = {}

    def window(self, transaction: str, index: int) -> Window | None:
        """Return the window of the session *index* of *transaction*."""
        own = self._own.get(transaction, ())
        return self._linked[own[index].starts_at, transaction, index] if index < len(own) else None

    def transactions_at(self, place: int | None) -> Iterable[str]:
        """Return the transactions with windows at *place*."""
        if place is None:
            return {
                transaction for _, transaction, _ in self._linked if self._has_no_place(transaction)
            }
        return {transaction for _, transaction, _ in self._rows.get(place, ())}

    def transactions(self) -> Iterable[str]:
        """Return every transaction with a window."""
        return self._own.keys()

    def attached(self, transaction: str) -> list[SessionFrame]:
        """Return the loose frames that were given to *transaction*, in log order."""
        return [self._loose[source].frame for source in sorted(self._attached.get(transaction, ()))]

    def unmatched(self) -> list[SessionFrame]:
        """Return the loose frames that no session takes, or several could, in log order."""
        return [self._loose[source].frame for source in sorted(self._attached.get(None, ()))]

    def unmatched_of(self, reference: str) -> list[SessionFrame]:
        """Return those of the unmatched frames that carry *reference*."""
        sources = self._named.get(reference, set()) & self._attached.get(None, set())
        return [self._loose[source].frame for source in sorted(sources)]

    def loose_of(self, reference: str) -> list[SessionFrame]:
        """Return the loose frames that carry *reference*."""
        return [self._loose[source].frame for source in self._named.get(reference, ())]

    def loose(self) -> list[SessionFrame]:
        """Return every loose frame."""
        return [loose.frame for loose in self._loose.values()]

    def has_foreign_place(self, transaction: str) -> bool:
        """Return True when a frame with the id of *transaction* names a place not its own."""
        attached = self._attached.get(transaction, set())
        return any(
            self._loose[source].place is not None and source not in attached
            for source in self._named.get(transaction, ())
        )

    def take(self, frame: SessionFrame) -> set[str]:
        """Fit a loose frame to the windows; return the transactions that may have changed."""
        source = source_of(frame)
        if source in self._loose:
            self.release(source)
        loose = self._loose[source] = loose_frame_of(frame, self._traits)
        self._named.setdefault(loose.reference, set()).add(source)
        windows = self._linked.values()
        self._fitting[source] = [w for w in windows if fits(loose, w, self._traits)]
        target = self._target(source)
        self._attached.setdefault(target, set()).add(source)
        return {loose.reference} if target is None else {loose.reference, target}

    def release(self, source: Source) -> set[str]:
        """Forget a loose frame; return the transactions that may have changed."""
        loose = self._loose.pop(source, None)
        if loose is None:
            return set()
        target = self._target(source)
        del self._fitting[source]
        _discard(self._attached, target, source)
        _discard(self._named, loose.reference, source)
        return {loose.reference} if target is None else {loose.reference, target}

    def lay(self, transaction: str, windows: Sequence[Window]) -> set[str]:
        """Let *windows* be those of *transaction*; return which transactions may have changed."""
        known, fresh = self._own.get(transaction, ()), tuple(windows)
        if known == fresh:
            return set()
        before: dict[WindowKey, Window] = {}
        moved: set[WindowKey] = set()
        for key, window in _keyed(transaction, known):
            before[key] = self._linked.pop(key)
            moved |= self._unlink(key, window)
        for key, window in _keyed(transaction, fresh):
            self._linked[key] = window
            moved |= self._link(key, window)
        if fresh:
            self._own[transaction] = fresh
        else:
            del self._own[transaction]
        for key in moved & self._linked.keys():
            if key[1] != transaction:
                before[key] = self._linked[key]
            self._linked[key] = self._linked[key]._replace(next_start_at=self._next(key))
        after = {key: self._linked[key] for key in (moved | before.keys()) & self._linked.keys()}
        gone = [window for key, window in before.items() if after.get(key) != window]
        came = [window for key, window in after.items() if before.get(key) != window]
        touched = {window.transaction_ref for window in (*gone, *came)}
        return touched | self._fit_again(gone, came)

    def _fit_again(self, gone: Sequence[Window], came: Sequence[Window]) -> set[str]:
        touched: set[str] = set()
        for source, loose in self._loose.items():
            known = self._fitting[source]
            fitting = [window for window in known if window not in gone] if known else []
            fitting += [window for window in came if fits(loose, window, self._traits)]
            if fitting == known:
                continue
            target = self._target(source)
            self._fitting[source] = fitting
            new = self._target(source)
            if new != target:
                _discard(self._attached, target, source)
                self._attached.setdefault(new, set()).add(source)
                touched |= {
                    transaction
                    for transaction in (target, new, loose.reference)
                    if transaction is not None
                }
        return touched

    def _target(self, source: Source) -> str | None:
        fitting = self._fitting[source]
        # Two candidates are as good as none: a wrong guess bills a stranger.
        return fitting[0].transaction_ref if len(fitting) == 1 else None

    def _has_no_place(self, transaction: str) -> bool:
        return any(window.place is None for window in self._own[transaction])

    def _link(self, key: WindowKey, window: Window) -> set[WindowKey]:
        """Put a window into the row of its place; return whose next start that sets."""
        # A session at no known place bounds no other and is bounded by none.
        if window.place is None:
            return {key}
        row = self._rows.setdefault(window.place, [])
        insort(row, key)
        index = bisect_left(row, key)
        return {key, *row[max(index - 1, 0) : index]}

    def _unlink(self, key: WindowKey, window: Window) -> set[WindowKey]:
        """Take a window out of the row of its place; return whose next start that changes."""
        if window.place is None:
            return set()
        row = self._rows[window.place]
        index = bisect_left(row, key)
        del row[index]
        return set(row[max(index - 1, 0) : index])

    def _next(self, key: WindowKey) -> datetime | None:
        place = self._linked[key].place
        if place is None:
            return None
        row = self._rows[place]
        index = bisect_left(row, key) + 1
        return row[index][0] if index < len(row) else None


def _keyed(transaction: str, windows: Sequence[Window]) -> list[tuple[WindowKey, Window]]:
    return [
        ((window.starts_at, transaction, index), window) for index, window in enumerate(windows)
    ]


def _discard(index: dict[Any, set[Source]], key: str | None, source: Source) -> None:
    index[key].discard(source)
    if not index[key]:
        del index[key]

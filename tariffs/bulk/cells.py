"""Cells: every session cut wherever another component may hold, all sessions at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tariffs.bulk.clock import ClockTable
from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.kernel.compiled import State


@dataclass(slots=True)
class Cells:
    """Stretches in order of session and time; each ends where the next of its session begins.

    `key` numbers what decides which components hold: clock mask, duration band, energy band and
    state. `ends_us` are the ends of the sessions.
    """

    session: Integers
    starts_us: Integers
    state: Integers
    key: Integers
    session_ends_us: Integers

    def firsts(self) -> Integers:
        """Return where each session's cells begin (every session has some)."""
        is_first = np.empty(len(self.session), dtype=np.bool_)
        is_first[:1] = True
        np.not_equal(self.session[1:], self.session[:-1], out=is_first[1:])
        return np.flatnonzero(is_first)

    def ends_us(self) -> Integers:
        """Return where each cell ends."""
        ends = np.empty_like(self.starts_us)
        ends[:-1] = self.starts_us[1:]
        lasts = np.append(self.firsts()[1:], len(ends)) - 1
        ends[lasts] = self.session_ends_us
        return ends

    def cut(self, at_us: Integers) -> None:
        """Cut each cell at its instant of *at_us*, where that lies inside."""
        inside = (self.starts_us < at_us) & (at_us < self.ends_us())
        if not inside.any():
            return
        source = np.repeat(np.arange(len(inside)), 1 + inside)
        second = np.flatnonzero(source[1:] == source[:-1]) + 1
        self._take(source)
        self.starts_us[second] = at_us[inside]

    def _take(self, source: Integers) -> None:
        self.session = self.session[source]
        self.starts_us = self.starts_us[source]
        self.state = self.state[source]
        self.key = self.key[source]

    def cut_by_clock(self, table: ClockTable, zone: Integers) -> None:
        """Cut the cells where the wall clock allows other elements; number the masks in `key`."""
        single = len(table.zone_at) == 1
        zones: Integers | int = 0 if single else zone[self.session]
        first = table.stretch_at(zones, self.starts_us)
        # Ends are exclusive: a price that begins at the end holds for nothing of the cell.
        last = table.stretch_at(zones, self.ends_us() - 1)
        more = last - first
        if more.any():
            counts = more + 1
            source = np.repeat(np.arange(len(counts)), counts)
            begins = np.cumsum(counts) - counts
            stretch = first[source] + np.arange(len(source)) - begins[source]
            self._take(source)
            self.starts_us = np.maximum(self.starts_us, table.at_us[stretch])
        else:
            stretch = first
        self.key = table.mask_ids[stretch]


def cells_of(columns: SessionColumns, grace_us: int) -> Cells:
    """Return the stretches of equal state; each stretch of parking begins with *grace_us*."""
    session = np.repeat(np.arange(len(columns)), np.diff(columns.span_offsets))
    cells = Cells(
        session=session,
        starts_us=columns.span_us,
        state=columns.span_state,
        key=np.zeros(len(session), dtype=np.int64),
        session_ends_us=columns.ends_us,
    )
    if grace_us:
        _add_grace(cells, grace_us)
    return cells


def _add_grace(cells: Cells, grace_us: int) -> None:
    parks: Flags = cells.state == State.PARKING
    grace_ends = np.where(parks, cells.starts_us + grace_us, cells.starts_us)
    cells.state = np.where(parks, np.int64(State.GRACE), cells.state)
    begins = cells.starts_us
    cells.cut(grace_ends)
    if len(cells.starts_us) > len(begins):
        is_rest = (cells.state[1:] == State.GRACE) & (cells.state[:-1] == State.GRACE)
        is_rest &= cells.session[1:] == cells.session[:-1]
        cells.state[1:][is_rest] = State.PARKING


def charging_starts(columns: SessionColumns) -> Integers:
    """Return where durations are counted from: the end of the reservation, or the start."""
    firsts = columns.span_offsets[:-1]
    reserves = np.isin(columns.span_state[firsts], (State.RESERVATION, State.RESERVATION_EXPIRED))
    if not reserves.any():
        return columns.starts_us
    alone = np.diff(columns.span_offsets) == 1
    following = np.where(alone, firsts, firsts + 1)
    ends = np.where(alone, columns.ends_us, columns.span_us[following])
    return np.where(reserves, ends, columns.starts_us)

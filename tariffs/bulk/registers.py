"""Registers at many instants, and instants at which registers reach a threshold.

Exactly the rule of `tariffs.model.periods`: linear between readings, rounded down to 1e-9 Wh, a
threshold reached at the first microsecond that has it. A product that would not fit into 64 bits
is never formed: its session is named as one for the scalar kernel.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tariffs.bulk.columns import Flags, Integers, SessionColumns

NEVER: Final = np.iinfo(np.int64).max
_PRODUCT_MAX: Final = 2**62
# Instants are mostly whole seconds or milliseconds, registers whole Wh, tenths, thousandths.
_UNITS: Final = (1_000_000_000, 1_000_000, 1_000)


class Registers:
    """The readings of one chunk of sessions; `hard` grows by the sessions that do not fit."""

    def __init__(self, columns: SessionColumns, hard: Flags) -> None:
        self._columns, self._hard = columns, hard
        self._keys: Integers | None = None
        self._shift: Integers | None = None
        # (instant of each session, register): where a threshold is reached, the register is it.
        self._pins: list[tuple[Integers, int]] = []

    def at(self, session: Integers, instants: Integers) -> Integers:
        """Return the register of each *session* at its instant, inside it."""
        columns = self._columns
        keys, shift = self._lined_up()
        before = np.searchsorted(keys, instants + shift[session], side="right") - 1
        at, register = columns.point_us[before], columns.point_units[before]
        span = columns.point_us[before + 1] - at
        rise = columns.point_units[before + 1] - register
        fits, added = _part_of(rise, instants - at, span)
        self._hard[session[~fits]] = True
        register += added
        for reached, threshold in self._pins:
            register[instants == reached[session]] = threshold
        return register

    def _lined_up(self) -> tuple[Integers, Integers]:
        """Return the instants of all readings, sessions put one after the other, and the shifts."""
        if self._keys is None or self._shift is None:
            columns = self._columns
            lasting = columns.ends_us - columns.starts_us
            self._shift = np.cumsum(lasting) - lasting - columns.starts_us
            counts = np.diff(columns.point_offsets)
            self._keys = columns.point_us + np.repeat(self._shift, counts)
        return self._keys, self._shift

    def reached(self, thresholds: tuple[int, ...]) -> list[Integers]:
        """Return for each threshold when each session reaches it, or NEVER; remember them."""
        columns = self._columns
        found: list[Integers] = []
        firsts = columns.point_offsets[:-1]
        totals = columns.energy_units()
        for threshold in thresholds:
            at = np.full(len(columns), NEVER, dtype=np.int64)
            rows = np.flatnonzero(totals >= threshold)
            if len(rows):
                below = (columns.point_units < threshold).astype(np.int64)
                after = (firsts + np.add.reduceat(below, firsts))[rows]
                at[rows] = self._crossing(rows, after, threshold)
            # What a register jumps at one moment, past two thresholds, or at an end of its session,
            # is in no cell: the kernel parts it.
            for earlier in found:
                self._hard |= (at == earlier) & (at != NEVER)
            self._hard |= (at == columns.starts_us) | (
                (at == columns.ends_us) & (totals > threshold)
            )
            found.append(at)
        self._pins = list(zip(found, thresholds, strict=True))
        return found

    def _crossing(self, rows: Integers, after: Integers, threshold: int) -> Integers:
        columns = self._columns
        at, register = columns.point_us[after - 1], columns.point_units[after - 1]
        rise = columns.point_units[after] - register
        fits, waits = _part_of(
            columns.point_us[after] - at, threshold - register, rise, rounds_up=True
        )
        self._hard[rows[~fits]] = True
        return at + waits


def _part_of(
    whole: Integers, part: Integers, of: Integers, *, rounds_up: bool = False
) -> tuple[Flags, Integers]:
    """Return whole x part / of, rounded, for 0 <= part <= of and of > 0; and where it fits.

    Common units of part and of are divided out, then of is divided out of whole, so that the one
    product left is at most part x (of - 1).
    """
    for unit in _UNITS:
        common = (part % unit == 0) & (of % unit == 0)
        if common.any():
            part, of = np.where(common, part // unit, part), np.where(common, of // unit, of)
    times, rest = np.divmod(whole, of)
    fits = (rest == 0) | (part <= _PRODUCT_MAX // np.maximum(rest, 1))
    product = np.where(fits, rest, 0) * part
    share = -(-product // of) if rounds_up else product // of
    return fits, times * part + share

"""What columns must satisfy before anything is rated with them: they may come from a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.errors import TariffError
from tariffs.kernel.compiled import State
from tariffs.zones import zone_names

# 100 MWh, as `tariffs.bulk.columns` writes at most.
_UNITS_MAX: Final = 10**17
_INSTANT_MAX: Final = 2**53  # microseconds: the year 2255
_STATES: Final = [state for state in State if state is not State.GRACE]


def check_columns(columns: SessionColumns) -> None:
    """Refuse columns that do not keep what `SessionColumns` promises.

    Raises:
        BrokenColumnsError: With the first thing that is wrong, and the first row of it.
    """
    for where, what in _misshapen(columns):
        raise BrokenColumnsError(where, what)
    for what, wrong in _wrong(columns):
        if wrong.any():
            raise BrokenColumnsError(int(np.argmax(wrong)), what)


def _misshapen(columns: SessionColumns) -> Iterator[tuple[str, str]]:
    sessions = len(columns)
    for name in ("ends_us", "zone", "privilege"):
        if len(getattr(columns, name)) != sessions:
            yield name, "it has not one row a session"
    for name, offsets, rows, least in (
        ("point", columns.point_offsets, (columns.point_us, columns.point_units), 2),
        ("span", columns.span_offsets, (columns.span_us, columns.span_state), 1),
    ):
        if len(offsets) != sessions + 1 or offsets[0] != 0:
            yield f"{name}_offsets", "they do not begin with 0 and count every session"
        elif (np.diff(offsets) < least).any() or any(len(row) != offsets[-1] for row in rows):
            yield f"{name}_offsets", f"they do not fit the {name}s, at least {least} a session"
    for name in ("power_mw", "current_ma"):
        measured = getattr(columns, name)
        if measured is not None and len(measured) != len(columns.point_us):
            yield name, "it has not one row a point"
    unknown = [name for name in columns.zones if name not in zone_names()]
    if unknown:
        yield "zones", f"there is no time zone {unknown[0]!r}"


def _wrong(columns: SessionColumns) -> Iterator[tuple[str, Flags]]:
    starts, ends = columns.starts_us, columns.ends_us
    firsts, lasts = columns.point_offsets[:-1], columns.point_offsets[1:] - 1
    yield "a start is no instant of our time", (starts < 0) | (starts > _INSTANT_MAX)
    yield "an end lies before its start or is no instant", (ends < starts) | (ends > _INSTANT_MAX)
    zone_number = (columns.zone < 0) | (columns.zone >= len(columns.zones))
    yield "a zone has no name", zone_number
    yield (
        "a privilege is not told",
        (columns.privilege < -1) | (columns.privilege >= len(columns.privileges)),
    )
    begins = (columns.point_us[firsts] == starts) & (columns.point_units[firsts] == 0)
    yield "points do not begin with (start, 0)", ~begins
    yield "points do not end with the session", columns.point_us[lasts] != ends
    yield "readings run backwards", _falls(columns.point_us, firsts, 0)
    yield "registers run backwards", _falls(columns.point_units, firsts, 0)
    yield "a register is too large", columns.point_units > _UNITS_MAX
    spans = columns.span_offsets[:-1]
    yield "spans do not begin with the session", columns.span_us[spans] != starts
    yield "spans do not rise", _falls(columns.span_us, spans, 1)
    last_spans = columns.span_us[columns.span_offsets[1:] - 1]
    yield "a span begins after the session", last_spans > np.maximum(starts, ends - 1)
    yield "a state is unknown", ~np.isin(columns.span_state, _STATES)
    yield "a reservation follows charging", _late_reservation(columns, spans)


def _falls(values: Integers, firsts: Integers, least: int) -> Flags:
    """Tell which values are not at least *least* above the one before, in their session."""
    steps = np.diff(values, prepend=values[:1])
    steps[firsts] = least
    falls: Flags = steps < least
    return falls


def _late_reservation(columns: SessionColumns, firsts: Integers) -> Flags:
    reserves = np.isin(columns.span_state, (State.RESERVATION, State.RESERVATION_EXPIRED))
    reserves[firsts] = False
    return reserves


class BrokenColumnsError(TariffError):
    """Columns that contradict themselves."""

    def __init__(self, where: str | int, what: str) -> None:
        which = f"row {where}" if isinstance(where, int) else where
        super().__init__(f"these columns of sessions are broken: {which}: {what}")
        self.where, self.what = where, what

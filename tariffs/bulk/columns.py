"""Sessions side by side in columns of whole numbers: what bulk rating works on.

The same numbers as `tariffs.kernel.timeline`: instants in microseconds since 1970, registers in
1e-9 Wh since the start of the session, states already cut into stretches. A row of the columns
and the usage it came from price alike; `SessionColumns.usage` gives the row back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tariffs.kernel.compiled import State
from tariffs.kernel.timeline import timeline_of
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan, moment_of
from tariffs.quantities import EXACT
from tariffs.zones import zone

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_REGISTER_PLACES: Final = 9
_MILLI_PLACES: Final = 3
_UNMEASURED: Final = -1
# 100 MWh are 10^17 units: registers of all sizes fit into 64 bits with room for sums.
_WH_MAX: Final = 10**8
_ACTIVITY: Final = {
    State.CHARGING: Activity.CHARGING,
    State.PARKING: Activity.PARKING,
    State.RESERVATION: Activity.RESERVATION,
    State.RESERVATION_EXPIRED: Activity.RESERVATION,
}


class Privilege(NamedTuple):
    """What grants go by: the groups of a session's token, and the validations shown for it."""

    groups: tuple[str, ...]
    validations: tuple[str, ...]


_NO_PRIVILEGE: Final = Privilege((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionColumns:
    """Sessions in columns. Rows `offsets[i]:offsets[i + 1]` of points and spans are session i's.

    Every session has at least two points, the first (start, 0), the last (end, total); its first
    span lies at its start, spans rise, lie before the end and differ from their neighbours.
    `span_state` holds values of `State`. `zones` and `privileges` are what `zone` and `privilege`
    count into; privilege -1 is none. `power_mw` and `current_ma` belong to the points, -1 is not
    measured; they are left out where nothing was. `whole` are the sessions, by row, that say more
    than fits into columns (a payment, what others used): only the kernel prices them.
    """

    starts_us: Integers
    ends_us: Integers
    zone: Integers
    zones: tuple[str, ...]
    point_offsets: Integers
    point_us: Integers
    point_units: Integers
    span_offsets: Integers
    span_us: Integers
    span_state: Integers
    privilege: Integers
    privileges: tuple[Privilege, ...] = ()
    power_mw: Integers | None = None
    current_ma: Integers | None = None
    whole: Mapping[int, SessionUsage] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts_us)

    def rows(self, first: int, last: int) -> SessionColumns:
        """Return the sessions from *first* up to *last* (exclusive), without copying points."""
        points = slice(self.point_offsets[first], self.point_offsets[last])
        spans = slice(self.span_offsets[first], self.span_offsets[last])
        return SessionColumns(
            starts_us=self.starts_us[first:last],
            ends_us=self.ends_us[first:last],
            zone=self.zone[first:last],
            zones=self.zones,
            point_offsets=self.point_offsets[first : last + 1] - self.point_offsets[first],
            point_us=self.point_us[points],
            point_units=self.point_units[points],
            span_offsets=self.span_offsets[first : last + 1] - self.span_offsets[first],
            span_us=self.span_us[spans],
            span_state=self.span_state[spans],
            privilege=self.privilege[first:last],
            privileges=self.privileges,
            power_mw=None if self.power_mw is None else self.power_mw[points],
            current_ma=None if self.current_ma is None else self.current_ma[points],
            whole={i - first: usage for i, usage in self.whole.items() if first <= i < last},
        )

    def only(self, rows: Integers) -> SessionColumns:
        """Return the sessions of *rows*, copied."""
        points = _ranges(self.point_offsets, rows)
        spans = _ranges(self.span_offsets, rows)
        return SessionColumns(
            starts_us=self.starts_us[rows],
            ends_us=self.ends_us[rows],
            zone=self.zone[rows],
            zones=self.zones,
            point_offsets=_begun(np.diff(self.point_offsets)[rows]),
            point_us=self.point_us[points],
            point_units=self.point_units[points],
            span_offsets=_begun(np.diff(self.span_offsets)[rows]),
            span_us=self.span_us[spans],
            span_state=self.span_state[spans],
            privilege=self.privilege[rows],
            privileges=self.privileges,
            power_mw=None if self.power_mw is None else self.power_mw[points],
            current_ma=None if self.current_ma is None else self.current_ma[points],
            whole={i: self.whole[int(row)] for i, row in enumerate(rows) if int(row) in self.whole}
            if self.whole
            else {},
        )

    def chunks(self, size: int) -> Iterator[SessionColumns]:
        """Yield the sessions in order, at most *size* at a time."""
        for first in range(0, len(self), size):
            yield self.rows(first, min(first + size, len(self)))

    def energy_units(self) -> Integers:
        """Return each session's energy in 1e-9 Wh."""
        return self.point_units[self.point_offsets[1:] - 1]

    def usage(self, row: int) -> SessionUsage:
        """Return session *row* as the kernel takes it."""
        if row in self.whole:
            return self.whole[row]
        points = range(int(self.point_offsets[row]), int(self.point_offsets[row + 1]))
        spans = range(int(self.span_offsets[row]), int(self.span_offsets[row + 1]))
        privileged = self.privileged(int(self.privilege[row]))
        states = [State(int(self.span_state[i])) for i in spans]
        return SessionUsage(
            starts_at=moment_of(int(self.starts_us[row])),
            ends_at=moment_of(int(self.ends_us[row])),
            time_zone=self.zones[int(self.zone[row])],
            points=tuple(self._point(i) for i in points),
            spans=tuple(
                UsageSpan(moment_of(int(self.span_us[i])), _ACTIVITY[state])
                for i, state in zip(spans, states, strict=True)
            ),
            groups=privileged.groups,
            validations=privileged.validations,
            reservation_expired=State.RESERVATION_EXPIRED in states,
        )

    def privileged(self, number: int) -> Privilege:
        """Return the privilege of a *number* in the column."""
        return _NO_PRIVILEGE if number < 0 else self.privileges[number]

    def _point(self, row: int) -> UsagePoint:
        return UsagePoint(
            moment_of(int(self.point_us[row])),
            Decimal(int(self.point_units[row])).scaleb(-_REGISTER_PLACES, EXACT),
            _measured(self.power_mw, row),
            _measured(self.current_ma, row),
        )


def columns_of(usages: Iterable[SessionUsage]) -> SessionColumns:
    """Put *usages* into columns; what the kernel would refuse is refused here with its words.

    Raises:
        UnusableUsageError: If a usage contradicts itself.
        UnknownZoneError: If its time zone does not exist.
    """
    writer = ColumnWriter()
    for usage in usages:
        writer.add(usage)
    return writer.columns()


class ColumnWriter:
    """Collects usages, one at a time, into columns."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._zone: list[int] = []
        self._zones: dict[str, int] = {}
        self._privilege: list[int] = []
        self._privileges: dict[Privilege, int] = {}
        self._point_counts: list[int] = []
        self._point_us: list[int] = []
        self._point_units: list[int] = []
        self._power: list[int] = []
        self._current: list[int] = []
        self._span_counts: list[int] = []
        self._span_us: list[int] = []
        self._span_state: list[int] = []
        self._whole: dict[int, SessionUsage] = {}

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, usage: SessionUsage) -> None:
        """Add one usage; see `columns_of` for what it raises, with nothing added then."""
        line = timeline_of(usage, 0)
        zone(usage.time_zone)
        points = line.points or [(line.start_us, 0), (line.end_us, 0)]
        if len(points) == 1:
            points = points * 2
        # Such a row only keeps its place in line; the kernel prices the usage itself.
        if points[-1][1] > _WH_MAX * 10**_REGISTER_PLACES:
            points = [(at, 0) for at, _ in points]
        if _has_more(usage):
            self._whole[len(self._starts)] = usage
        power, current = _milli_pairs(usage, len(points))
        self._starts.append(line.start_us)
        self._ends.append(line.end_us)
        self._zone.append(self._zones.setdefault(usage.time_zone, len(self._zones)))
        privilege = Privilege(usage.groups, usage.validations)
        self._privilege.append(
            -1
            if privilege == _NO_PRIVILEGE
            else self._privileges.setdefault(privilege, len(self._privileges))
        )
        self._point_counts.append(len(points))
        self._point_us.extend(at for at, _ in points)
        self._point_units.extend(units for _, units in points)
        self._power.extend(power)
        self._current.extend(current)
        stretches = _stretches((line.start_us, line.state), line.changes)
        self._span_counts.append(len(stretches))
        self._span_us.extend(at for at, _ in stretches)
        self._span_state.extend(state for _, state in stretches)

    def columns(self) -> SessionColumns:
        """Return what was added."""
        return SessionColumns(
            starts_us=_integers(self._starts),
            ends_us=_integers(self._ends),
            zone=_integers(self._zone),
            zones=tuple(self._zones),
            point_offsets=_offsets(self._point_counts),
            point_us=_integers(self._point_us),
            point_units=_integers(self._point_units),
            span_offsets=_offsets(self._span_counts),
            span_us=_integers(self._span_us),
            span_state=_integers(self._span_state),
            privilege=_integers(self._privilege),
            privileges=tuple(self._privileges),
            power_mw=_column_if_measured(self._power),
            current_ma=_column_if_measured(self._current),
            whole=dict(self._whole),
        )


_KNOWN: Final = {
    *("starts_at", "ends_at", "time_zone", "points", "spans"),
    *("groups", "validations", "reservation_expired"),
}
_UNKNOWN: Final = [f for f in msgspec.structs.fields(SessionUsage) if f.name not in _KNOWN]


def _has_more(usage: SessionUsage) -> bool:
    """Tell whether *usage* says more than the columns can hold, whatever the model grows to."""
    last = usage.points[-1].energy_wh if usage.points else 0
    return bool(
        last > _WH_MAX
        or any(_is_odd(p.power_w) or _is_odd(p.current_a) for p in usage.points)
        or any(getattr(usage, each.name) != each.default for each in _UNKNOWN)
    )


def _is_odd(value: Decimal | None) -> bool:
    return value is not None and (not value.is_finite() or not 0 <= value <= _WH_MAX)


def _stretches(
    first: tuple[int, State], changes: Sequence[tuple[int, State]]
) -> list[tuple[int, State]]:
    """Return where each state begins, neighbours that are equal joined."""
    stretches = [first]
    for change in changes:
        if change[1] is not stretches[-1][1]:
            stretches.append(change)
    return stretches


def _milli_pairs(usage: SessionUsage, count: int) -> tuple[list[int], list[int]]:
    power = [_milli(point.power_w) for point in usage.points]
    current = [_milli(point.current_a) for point in usage.points]
    spare = [_UNMEASURED] * (count - len(power))
    return power + spare, current + spare


def _milli(value: Decimal | None) -> int:
    if value is None or _is_odd(value):
        return _UNMEASURED
    return int(value.scaleb(_MILLI_PLACES, EXACT))


def _measured(column: Integers | None, row: int) -> Decimal | None:
    if column is None or column[row] == _UNMEASURED:
        return None
    return Decimal(int(column[row])).scaleb(-_MILLI_PLACES, EXACT)


def _integers(values: Sequence[int]) -> Integers:
    return np.array(values, dtype=np.int64)


def _begun(counts: Integers) -> Integers:
    """Return where the rows of each session begin, and where all end."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))


def _ranges(offsets: Integers, rows: Integers) -> Integers:
    """Return the rows of the points or spans of the sessions in *rows*."""
    counts = np.diff(offsets)[rows]
    begun = _begun(counts)
    return np.arange(begun[-1]) + np.repeat(offsets[rows] - begun[:-1], counts)


def _offsets(counts: Sequence[int]) -> Integers:
    return _integers(list(accumulate(counts, initial=0)))


def _column_if_measured(values: Sequence[int]) -> Integers | None:
    return _integers(values) if any(value != _UNMEASURED for value in values) else None

"""What changes from one tariff to another: in sentences, and per hour of the week.

Prices are compared by what the kernel would bill, not by how the files are written: two tariffs
whose elements differ but that bill the same have no price sentence. The week is compared at the
start of a session and in every band of kWh, duration, power and current that either one names.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import reduce
from itertools import islice, pairwise, product
from operator import itemgetter
from typing import Final

import msgspec

from tariffs.calendar.circumstances import (
    Axis,
    AxisBand,
    HourlyDifference,
    bands_along,
    bands_phrase,
    differences,
    overlaps,
)
from tariffs.calendar.week import (
    AT_START,
    Circumstances,
    Fee,
    HeldPrice,
    WeekCalendar,
    week_calendar,
)
from tariffs.calendar.words import (
    ALWAYS,
    Piece,
    local_pieces,
    windows_phrase,
)
from tariffs.diff.change import ChangeKind, TariffChange
from tariffs.diff.english import ENGLISH
from tariffs.diff.price_changes import ChangeWindow, PriceChange, price_changes
from tariffs.diff.words import setting_changes
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, phrase

# Bands multiply: four quantities of ten bands each would be 10,000 weeks.
COMBINATIONS_MAX: Final = 200


class HourChange(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the week in which a fee differs at the start of a session.

    `before` and `after` are the prices within the hour in order of time, None for free.
    """

    fee: Fee
    day: date
    starts_at: time
    minutes: int
    before: tuple[Decimal | None, ...]
    after: tuple[Decimal | None, ...]


class TariffDiff(msgspec.Struct, frozen=True, kw_only=True):
    """All that differs between two tariffs; nothing if they bill and read the same."""

    before: Tariff
    after: Tariff
    changes: tuple[TariffChange, ...]
    hours: tuple[HourChange, ...]


def diff_tariffs(
    before: CompiledTariff, after: CompiledTariff, *, time_zone: str, first_day: date
) -> TariffDiff:
    """Return what changes from *before* to *after*, looked at in the week from *first_day* on.

    Raises:
        UnknownZoneError: If *time_zone* does not exist.
    """
    week = _Week(before, after, time_zone, first_day)
    settings = setting_changes(before.tariff, after.tariff)
    return TariffDiff(
        before=before.tariff,
        after=after.tariff,
        changes=(
            *week.price_changes(),
            *(TariffChange(kind=kind, said=said) for kind, said in settings),
        ),
        hours=tuple(week.hours()),
    )


# At which points of a session a change holds, for each stretch.
_Points = dict[tuple[datetime, datetime], set[Circumstances]]
_Found = dict[PriceChange, _Points]


class _Week:
    """One week of both tariffs, in every circumstance that either of them names."""

    def __init__(
        self, before: CompiledTariff, after: CompiledTariff, time_zone: str, first_day: date
    ) -> None:
        self.time_zone, self.first_day = time_zone, first_day
        self.tariffs = (before.tariff, after.tariff)
        # The week shows what the elements say; the validity is a setting of its own.
        self.before, self.after = _always_valid(before), _always_valid(after)
        self.bands = bands_along((before.tariff, after.tariff))
        self._looked_at: dict[Circumstances, tuple[WeekCalendar, WeekCalendar]] = {}
        self.base = self._pair(AT_START)
        self.fees = tuple(f for f in Fee if any(f in week.stretches for week in self.base))

    def _pair(self, circumstances: Circumstances) -> tuple[WeekCalendar, WeekCalendar]:
        if (known := self._looked_at.get(circumstances)) is not None:
            return known
        old, new = (
            week_calendar(
                compiled,
                time_zone=self.time_zone,
                first_day=self.first_day,
                circumstances=circumstances,
            )
            for compiled in (self.before, self.after)
        )
        self._looked_at[circumstances] = old, new
        return old, new

    def price_changes(self) -> Iterator[TariffChange]:
        """Yield what is said of each (fee, old price, new price), with when it holds."""
        found: _Found = {}
        seen = list(self._differences())
        ordered = sorted({at for _, d, _ in seen for at in (d.starts_at, d.ends_at)})
        for fee, difference, point in seen:
            change = _change_of(fee, difference)
            first = bisect_left(ordered, difference.starts_at)
            inside = ordered[first : bisect_right(ordered, difference.ends_at)]
            for atom in pairwise(inside):
                found.setdefault(change, {}).setdefault(atom, set()).add(point)
        for fee in self.fees:
            for change, atoms in found.items():
                if change.fee is fee:
                    yield from self._sentences(change, atoms)
        yield from self._combined(found)
        for fee in (Fee.FLAT, Fee.RESERVATION_FLAT):
            if fee in self.fees and self._is_counted_otherwise(fee):
                said = phrase("counted_otherwise", fee=fee.name)
                yield TariffChange(kind=ChangeKind.PRICE, said=said)

    def _is_counted_otherwise(self, fee: Fee) -> bool:
        """Tell whether elements with a fee of their own hold where others, or one, did.

        Each element's fee is billed once, so that two of one price cost more than one.
        """
        told: set[tuple[int, int]] = set()
        for old, new in self._looked_at.values():
            for before, after in overlaps(old, new, fee):
                if before.price is not None and after.price is not None:
                    told.add((before.price.element_index, after.price.element_index))
        return len(told) > min(len({old for old, _ in told}), len({new for _, new in told}))

    def _combined(self, found: _Found) -> Iterator[TariffChange]:
        """Yield what differs only where the bands of several quantities meet."""
        further = [
            [None, *(band for band in bands if band.circumstances != AT_START)]
            for bands in self.bands.values()
        ]
        ordered = {change: sorted(atoms) for change, atoms in found.items()}
        for chosen in islice(product(*further), COMBINATIONS_MAX):
            bands = [band for band in chosen if band is not None]
            if len(bands) < 2:  # noqa: PLR2004 - one quantity alone is said already
                continue
            point = reduce(lambda at, band: band.within(at), bands, AT_START)
            alone = {AT_START, *(band.circumstances for band in bands)}
            pieces: dict[PriceChange, list[Piece]] = {}
            pair = self._pair(point)
            for fee in self.fees:
                for difference in differences(*pair, fee):
                    change = _change_of(fee, difference)
                    points, atoms = found.get(change, {}), ordered.get(change, ())
                    if not _is_known(points, atoms, difference, alone):
                        cut = local_pieces(difference.starts_at, difference.ends_at, self.time_zone)
                        pieces.setdefault(change, []).extend(cut)
            when = phrase("both_of", runs=tuple(band.said for band in bands))
            for change, cut in pieces.items():
                yield from price_changes(change, self._where(cut, when), self.tariffs)

    def _where(self, pieces: list[Piece], when: Phrase | None) -> ChangeWindow:
        windows = windows_phrase(pieces, self.base[0].days)
        return ChangeWindow(None if windows == ALWAYS else windows, when)

    def _differences(self) -> Iterator[tuple[Fee, HourlyDifference, Circumstances]]:
        points = {AT_START} | {b.circumstances for bands in self.bands.values() for b in bands}
        # A set has no order of its own, and sentences come in one order.
        for point in sorted(points, key=repr):
            pair = self._pair(point)
            for fee in self.fees:
                for difference in differences(*pair, fee):
                    yield fee, difference, point

    def _sentences(
        self,
        change: PriceChange,
        atoms: _Points,
    ) -> Iterator[TariffChange]:
        # By its words: a phrase is no key.
        by_when: dict[str, tuple[Phrase | None, list[Piece]]] = {}
        for (starts_at, ends_at), points in sorted(atoms.items()):
            when = self._when(points)
            key = "" if when is None else ENGLISH.words(when)
            _, pieces = by_when.setdefault(key, (when, []))
            pieces += local_pieces(starts_at, ends_at, self.time_zone)
        for when, pieces in by_when.values():
            yield from price_changes(change, self._where(pieces, when), self.tariffs)

    def _when(self, points: set[Circumstances]) -> Phrase | None:
        """Say at which point of a session a change holds; None for always."""
        if AT_START in points:
            runs = [run for axis in self.bands if (run := self._runs(axis, points))]
            said = phrase("all_of", runs=tuple(runs))
        else:
            axes = [axis for axis in self.bands if self._of(axis, points)]
            runs = [run for axis in axes if (run := self._runs(axis, points))]
            said = phrase("any_of", runs=tuple(runs))
        return said if runs else None

    def _of(self, axis: Axis, points: set[Circumstances]) -> list[AxisBand]:
        return [band for band in self.bands[axis] if band.circumstances in points]

    def _runs(self, axis: Axis, points: set[Circumstances]) -> Phrase | None:
        """Say the bands of *axis* in *points*, neighbours joined; None for all of them."""
        within = self._of(axis, points)
        if len(within) == len(self.bands[axis]):
            return None
        runs: list[list[AxisBand]] = []
        for band in within:
            if runs and runs[-1][-1].high == band.low:
                runs[-1].append(band)
            else:
                runs.append([band])
        return phrase("both_of", runs=tuple(map(bands_phrase, runs)))

    def hours(self) -> Iterator[HourChange]:
        """Yield each hour (or quarter, if prices change within hours) that differs."""
        old, new = self.base
        for fee in self.fees:
            minutes = min(week.slot_minutes(fee) for week in self.base)
            differing = list(differences(old, new, fee))
            for day in old.days if differing else ():
                for minute in range(0, 24 * 60, minutes):
                    start = time(minute // 60, minute % 60)
                    before = _prices(old, fee, day, start, minutes)
                    after = _prices(new, fee, day, start, minutes)
                    if before != after:
                        yield HourChange(
                            fee=fee,
                            day=day,
                            starts_at=start,
                            minutes=minutes,
                            before=before,
                            after=after,
                        )


def _always_valid(compiled: CompiledTariff) -> CompiledTariff:
    tariff = compiled.tariff
    if tariff.start_date_time is None and tariff.end_date_time is None:
        return compiled
    return CompiledTariff(msgspec.structs.replace(tariff, start_date_time=None, end_date_time=None))


def _prices(
    calendar: WeekCalendar, fee: Fee, day: date, start: time, minutes: int
) -> tuple[Decimal | None, ...]:
    if fee not in calendar.stretches:
        present = calendar.cell(next(iter(calendar.stretches)), day, start, minutes)
        return (None,) if present else ()
    cell = calendar.cell(fee, day, start, minutes)
    return tuple(None if s.price is None else s.price.price for s in cell)


def _change_of(fee: Fee, difference: HourlyDifference) -> PriceChange:
    return PriceChange(fee, _unnamed(difference, old=True), _unnamed(difference, old=False))


def _is_known(
    points: _Points,
    atoms: Sequence[tuple[datetime, datetime]],
    difference: HourlyDifference,
    alone: set[Circumstances],
) -> bool:
    """Tell whether the same change was found over the stretch for one quantity alone.

    *atoms* are the stretches of *points* in their order; none of them overlap.
    """
    first = bisect_right(atoms, difference.starts_at, key=itemgetter(1))
    last = bisect_left(atoms, difference.ends_at, key=itemgetter(0))
    return any(points[atom] & alone for atom in atoms[first:last])


def _unnamed(difference: HourlyDifference, *, old: bool) -> HeldPrice | None:
    """Return the price of one side without the element that it comes from."""
    stretch = difference.before if old else difference.after
    if stretch is None or stretch.price is None:
        return None
    return msgspec.structs.replace(stretch.price, element_index=0, element_name=None)

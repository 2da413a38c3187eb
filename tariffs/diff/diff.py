"""What changes from one tariff to another: in sentences, and per hour of the week.

Prices are compared by what the kernel would bill, not by how the files are written: two tariffs
whose elements differ but that bill the same have no price sentence. The week is compared at the
start of a session and in every band of kWh, duration, power and current that either one names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from itertools import islice, pairwise, product
from typing import Final

import msgspec

from tariffs.calendar.circumstances import (
    Axis,
    AxisBand,
    HourlyDifference,
    bands_along,
    bands_text,
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
    ALL_TIMES,
    Piece,
    amount_text,
    local_pieces,
    price_text,
    windows_text,
)
from tariffs.diff.words import setting_changes
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Tariff
from tariffs.taxes.names import rate_name

# Bands multiply: four quantities of ten bands each would be 10,000 weeks.
COMBINATIONS_MAX: Final = 200
_COUNTED_OTHERWISE: Final = (
    "other elements hold than before; each bills its own once, so one session may owe more or fewer"
)


class ChangeKind(StrEnum):
    """What a sentence is about."""

    PRICE = "price"
    TAX = "tax"
    STEP = "step_size"
    SETTING = "setting"
    ELEMENT = "element"
    ADJUSTMENT = "adjustment"


class TariffChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as a sentence."""

    kind: ChangeKind
    sentence: str


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
            *(TariffChange(kind=ChangeKind(kind), sentence=text) for kind, text in settings),
        ),
        hours=tuple(week.hours()),
    )


class _Change(msgspec.Struct, frozen=True):
    """Another price at one stretch, in one point of a session."""

    fee: Fee
    before: HeldPrice | None
    after: HeldPrice | None


# At which points of a session a change holds, for each stretch.
_Points = dict[tuple[datetime, datetime], set[Circumstances]]
_Found = dict[_Change, _Points]


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
        """Yield a sentence for each (fee, old price, new price), with when it holds."""
        found: _Found = {}
        seen = list(self._differences())
        ordered = sorted({at for _, d, _ in seen for at in (d.starts_at, d.ends_at)})
        for fee, difference, point in seen:
            change = _change_of(fee, difference)
            inside = [c for c in ordered if difference.starts_at <= c <= difference.ends_at]
            for atom in pairwise(inside):
                found.setdefault(change, {}).setdefault(atom, set()).add(point)
        for fee in self.fees:
            for change, atoms in found.items():
                if change.fee is fee:
                    yield from self._sentences(change, atoms)
        yield from self._combined(found)
        for fee in (Fee.FLAT, Fee.RESERVATION_FLAT):
            if fee in self.fees and self._is_counted_otherwise(fee):
                sentence = f"{fee.value}: {_COUNTED_OTHERWISE}"
                yield TariffChange(kind=ChangeKind.PRICE, sentence=sentence)

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
        for chosen in islice(product(*further), COMBINATIONS_MAX):
            bands = [band for band in chosen if band is not None]
            if len(bands) < 2:  # noqa: PLR2004 - one quantity alone is said already
                continue
            point = reduce(lambda at, band: band.within(at), bands, AT_START)
            alone = {AT_START, *(band.circumstances for band in bands)}
            pieces: dict[_Change, list[Piece]] = {}
            pair = self._pair(point)
            for fee in self.fees:
                for difference in differences(*pair, fee):
                    change = _change_of(fee, difference)
                    if not _is_known(found.get(change, {}), difference, alone):
                        cut = local_pieces(difference.starts_at, difference.ends_at, self.time_zone)
                        pieces.setdefault(change, []).extend(cut)
            when = " and ".join(bands_text((band,)) for band in bands)
            for change, cut in pieces.items():
                yield from _price_sentences(change, self._where(cut, when), self.tariffs)

    def _where(self, pieces: list[Piece], when: str) -> str:
        windows = windows_text(pieces, self.base[0].days)
        return " ".join(part for part in ("" if windows == ALL_TIMES else windows, when) if part)

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
        change: _Change,
        atoms: _Points,
    ) -> Iterator[TariffChange]:
        by_when: dict[str, list[Piece]] = {}
        for (starts_at, ends_at), points in sorted(atoms.items()):
            pieces = by_when.setdefault(self._when(points), [])
            pieces += local_pieces(starts_at, ends_at, self.time_zone)
        for when, pieces in by_when.items():
            yield from _price_sentences(change, self._where(pieces, when), self.tariffs)

    def _when(self, points: set[Circumstances]) -> str:
        """Return at which point of a session a change holds; empty for always."""
        if AT_START in points:
            texts = [self._runs(axis, points) for axis in self.bands]
            return ", ".join(text for text in texts if text)
        texts = [self._runs(a, points) for a in self.bands if self._of(a, points)]
        return " or ".join(text for text in texts if text)

    def _of(self, axis: Axis, points: set[Circumstances]) -> list[AxisBand]:
        return [band for band in self.bands[axis] if band.circumstances in points]

    def _runs(self, axis: Axis, points: set[Circumstances]) -> str:
        """Return the bands of *axis* in *points*, neighbours joined; empty for all of them."""
        within = self._of(axis, points)
        if len(within) == len(self.bands[axis]):
            return ""
        runs: list[list[AxisBand]] = []
        for band in within:
            if runs and runs[-1][-1].high == band.low:
                runs[-1].append(band)
            else:
                runs.append([band])
        return " and ".join(bands_text(run) for run in runs)

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


def _change_of(fee: Fee, difference: HourlyDifference) -> _Change:
    return _Change(fee, _unnamed(difference, old=True), _unnamed(difference, old=False))


def _is_known(points: _Points, difference: HourlyDifference, alone: set[Circumstances]) -> bool:
    """Tell whether the same change was found over the stretch for one quantity alone."""
    return any(
        at & alone
        for (starts_at, ends_at), at in points.items()
        if starts_at < difference.ends_at and difference.starts_at < ends_at
    )


def _unnamed(difference: HourlyDifference, *, old: bool) -> HeldPrice | None:
    """Return the price of one side without the element that it comes from."""
    stretch = difference.before if old else difference.after
    if stretch is None or stretch.price is None:
        return None
    return msgspec.structs.replace(stretch.price, element_index=0, element_name=None)


def _price_sentences(
    change: _Change, where: str, tariffs: tuple[Tariff, Tariff]
) -> Iterator[TariffChange]:
    old, new, fee = change.before, change.after, change.fee
    currencies = tariffs[0].currency, tariffs[1].currency
    subject = f"{fee.value} {where}" if where else fee.value
    old_price = None if old is None else old.price
    new_price = None if new is None else new.price
    if old_price != new_price or (old is None) != (new is None) or currencies[0] != currencies[1]:
        text = _price_sentence(subject, change, currencies)
        yield TariffChange(kind=ChangeKind.PRICE, sentence=text)
    if old is None or new is None:
        return
    if old.vat != new.vat:
        text = _tax_sentence(subject, (old.vat, new.vat), tariffs)
        yield TariffChange(kind=ChangeKind.TAX, sentence=text)
    if old.step_size != new.step_size:
        unit = "Wh" if fee is Fee.ENERGY else "s"
        text = f"step_size of {subject} changes from {old.step_size} to {new.step_size} {unit}"
        yield TariffChange(kind=ChangeKind.STEP, sentence=text)


def _price_sentence(subject: str, change: _Change, currencies: tuple[str, str]) -> str:
    fee, old, new = change.fee, change.before, change.after
    if old is None or new is None:
        verb = "becomes" if new is None else "starts to cost"
        shown = "free" if new is None else price_text(new, fee, currencies[1])
        was = "" if old is None else f" (was {price_text(old, fee, currencies[0])})"
        return f"{subject} {verb} {shown}{was}"
    after = price_text(new, fee, currencies[1])
    if currencies[0] != currencies[1]:
        return f"{subject} changes from {price_text(old, fee, currencies[0])} to {after}"
    verb = "rises" if new.price > old.price else "falls"
    share = f" ({_percent(old.price, new.price)})" if old.price else ""
    return f"{subject} {verb} from {amount_text(old.price, currencies[0])} to {after}{share}"


def _percent(old: Decimal, new: Decimal) -> str:
    share = ((new - old) * 100 / old).quantize(Decimal("0.1"))
    return f"{share:+f} %"


def _tax_sentence(
    subject: str, rates: tuple[Decimal | None, Decimal | None], tariffs: tuple[Tariff, Tariff]
) -> str:
    """Say how a rate of tax changes, by its name; by both where it is another tax."""
    names = [
        None if rate is None else rate_name(rate, tariff.sales_taxes, tariff.country_code)
        for rate, tariff in zip(rates, tariffs, strict=True)
    ]
    was, now = ("none" if rate is None else f"{rate:f} %" for rate in rates)
    if None not in names and names[0] != names[1]:
        return f"Tax on {subject} changes from {was} {names[0]} to {now} {names[1]}"
    return f"{names[0] or names[1]} on {subject} changes from {was} to {now}"

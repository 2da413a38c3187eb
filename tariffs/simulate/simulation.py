"""Back-testing a tariff: history re-rated, old against new, added up as it passes by.

Amounts are what a customer owes, taxes included, in minor units. Memory grows with the number of
customers and sites, never with that of sessions.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from tariffs.adjustments.shared import SharedGrant
from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.bulk.rating import BulkTotals, bulk_tariff, rate_columns
from tariffs.bulk.tariff import BulkTariff
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.policy import PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.model.usage import moment_of
from tariffs.simulate.history import AMOUNT_MINOR_MAX, HistoryChunk, Unread
from tariffs.simulate.session_rows import SessionRows
from tariffs.simulate.spread import NAMES, steps_of

_UNREAD_SHOWN: Final = 20
_SUMS: Final = 4
_UNITS_PER_MILLI_WH: Final = 10**6


@dataclass(slots=True)
class BilledChange:
    """What sessions cost before and after the change, in minor units."""

    name: str
    sessions: int = 0
    energy_milli_wh: int = 0
    old_minor: int = 0
    new_minor: int = 0

    @property
    def difference_minor(self) -> int:
        """Return by how much the new price is higher."""
        return self.new_minor - self.old_minor


class Sign(StrEnum):
    """Sessions that begin, or cease, to cost something."""

    FREE_TO_PAID = "free to paid"
    PAID_TO_FREE = "paid to free"


@dataclass(frozen=True, slots=True, order=True)
class SessionChange:
    """One session whose price changes much; ordered by how much higher the new price is."""

    difference_minor: int
    id: str
    started_at: str
    customer: str
    site: str
    old_minor: int
    new_minor: int


@dataclass(slots=True, kw_only=True)
class SimulationResult:
    """What the new tariff would have made of the history. `before` and `taxes` (old, new) too.

    `stations`: of the sessions that say theirs. `spread`: by the number of a step (`STEPS`).
    `notes` say how the result is to be read.
    """

    currency: str
    total: BilledChange = field(default_factory=lambda: BilledChange("total"))
    before_minor: tuple[int, int] = (0, 0)
    customers: dict[str, BilledChange] = field(default_factory=dict)
    sites: dict[str, BilledChange] = field(default_factory=dict)
    stations: dict[str, BilledChange] = field(default_factory=dict)
    months: dict[str, BilledChange] = field(default_factory=dict)
    spread: dict[str, BilledChange] = field(default_factory=dict)
    signs: dict[Sign, BilledChange] = field(
        default_factory=lambda: {sign: BilledChange(sign.value) for sign in Sign}
    )
    dearer: int = 0
    cheaper: int = 0
    winners: list[SessionChange] = field(default_factory=list)
    losers: list[SessionChange] = field(default_factory=list)
    by_kernel: int = 0
    left_out: int = 0
    unread: list[Unread] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def _notes(tariffs: Iterable[Tariff]) -> Iterator[str]:
    """Yield what stands under a result of *tariffs* whose grants several sessions share."""
    for tariff in tariffs:
        if any(isinstance(each, SharedGrant) for each in tariff.adjustments):
            yield (
                f"{tariff.id}: allowances, shared caps and coupons are priced as if each session"
                " were the first to use them; what sessions share is not counted up here."
            )


class Simulation:
    """Adds up chunks of history under a new tariff.

    The old side is what was billed, or *old* applied to the same sessions. Sessions without an
    old price, and those that cannot be priced, are left out of both sides and named.
    """

    def __init__(
        self,
        new: BulkTariff,
        old: BulkTariff | None = None,
        *,
        top: int = 10,
        rows: SessionRows | None = None,
    ) -> None:
        if old is not None and old.compiled.tariff.currency != new.compiled.tariff.currency:
            raise OtherCurrencyError(old.compiled.tariff.currency, new.compiled.tariff.currency)
        self._new, self._old, self._top, self._rows = new, old, top, rows
        tariffs = [each.compiled.tariff for each in (new, old) if each is not None]
        self.result = SimulationResult(currency=tariffs[0].currency, notes=tuple(_notes(tariffs)))

    def add(self, chunk: HistoryChunk) -> None:
        """Re-rate *chunk* and add it up.

        Raises:
            OtherCurrencyError: If its amounts are in another currency.
        """
        result = self.result
        if chunk.currency != result.currency:
            raise OtherCurrencyError(chunk.currency, result.currency)
        for unread in chunk.unread:
            self._leave_out(unread)
        if not len(chunk.columns):
            return
        new = rate_columns(chunk.columns, self._new)
        result.by_kernel += int(np.count_nonzero(new.by_kernel))
        old_before, old_after, is_rated = self._old_side(chunk)
        is_rated = is_rated & ~self._refused(chunk, new, among=is_rated)
        self._add(chunk, is_rated, (old_before, old_after), (new.before_minor, new.after_minor))

    def _old_side(self, chunk: HistoryChunk) -> tuple[Integers, Integers, Flags]:
        if self._old is None:
            for row in np.flatnonzero(~chunk.is_billed).tolist():
                self._leave_out(chunk.left_out(row, "it says nothing about what was billed"))
            return chunk.billed_before, chunk.billed_after, chunk.is_billed
        old = rate_columns(chunk.columns, self._old)
        every = np.ones(len(chunk.columns), dtype=np.bool_)
        return old.before_minor, old.after_minor, ~self._refused(chunk, old, among=every)

    def _refused(self, chunk: HistoryChunk, totals: BulkTotals, *, among: Flags) -> Flags:
        """Leave out what nothing prices of the sessions *among*: the others are left out already.

        One that neither side prices is one session that is left out.
        """
        refused = np.zeros(len(chunk.columns), dtype=np.bool_)
        reasons = dict(totals.refused)
        for row in np.flatnonzero(np.abs(totals.after_minor) > AMOUNT_MINOR_MAX).tolist():
            reasons[row] = "it would cost more than can be true"
        for row, why in reasons.items():
            refused[row] = True
            if among[row]:
                self._leave_out(chunk.left_out(row, why))
        return refused

    def _leave_out(self, unread: Unread) -> None:
        self.result.left_out += 1
        if self._rows is not None:
            self._rows.left_out(unread)
        # All are counted, some are named: a million broken rows must not fill the memory.
        if len(self.result.unread) < _UNREAD_SHOWN:
            self.result.unread.append(unread)

    def _add(
        self,
        chunk: HistoryChunk,
        is_rated: Flags,
        old: tuple[Integers, Integers],
        new: tuple[Integers, Integers],
    ) -> None:
        result = self.result
        if self._rows is not None:
            self._rows.add(chunk, is_rated, old, new)
        old_after, new_after = old[1] * is_rated, new[1] * is_rated
        sums = np.stack(
            (is_rated, _milli_wh(chunk.columns) * is_rated, old_after, new_after)
        ).astype(np.int64)
        difference = new_after - old_after
        everyone = np.zeros(len(is_rated), dtype=np.int64)
        _add_up({result.total.name: result.total}, (result.total.name,), everyone, sums)
        _add_up(result.customers, chunk.customers, chunk.customer, sums)
        _add_up(result.sites, chunk.sites, chunk.site, sums)
        if chunk.station is not None:
            _add_up(result.stations, chunk.stations, chunk.station, sums)
        _add_up(result.spread, NAMES, steps_of(difference), sums)
        months, names = _months(chunk.columns.starts_us)
        _add_up(result.months, names, months, sums)
        for sign, flags in (
            (Sign.FREE_TO_PAID, (old_after == 0) & (new_after > 0)),
            (Sign.PAID_TO_FREE, (old_after > 0) & (new_after == 0)),
        ):
            _add_up({sign: result.signs[sign]}, (sign,), everyone, sums * flags)
        result.dearer += int(np.count_nonzero(difference > 0))
        result.cheaper += int(np.count_nonzero(difference < 0))
        result.before_minor = (
            result.before_minor[0] + int((old[0] * is_rated).sum()),
            result.before_minor[1] + int((new[0] * is_rated).sum()),
        )
        self._keep_extremes(chunk, difference, old_after, new_after)

    def _keep_extremes(
        self, chunk: HistoryChunk, difference: Integers, old: Integers, new: Integers
    ) -> None:
        top = min(self._top, len(difference))
        if not top:
            return
        order = np.argpartition(difference, (top - 1, len(difference) - top))
        rows = {*order[:top].tolist(), *order[-top:].tolist()}
        changes = [
            SessionChange(
                difference_minor=int(difference[row]),
                id=chunk.ids[row],
                started_at=f"{moment_of(int(chunk.columns.starts_us[row])):%Y-%m-%d %H:%M}",
                customer=chunk.customers[int(chunk.customer[row])],
                site=chunk.sites[int(chunk.site[row])],
                old_minor=int(old[row]),
                new_minor=int(new[row]),
            )
            for row in rows
            if difference[row]
        ]
        result = self.result
        dearer = [change for change in changes if change.difference_minor > 0]
        cheaper = [change for change in changes if change.difference_minor < 0]
        result.losers = heapq.nlargest(self._top, result.losers + dearer)
        result.winners = heapq.nsmallest(self._top, result.winners + cheaper)


def simulated(
    chunks: Iterable[HistoryChunk],
    new: CompiledTariff,
    old: CompiledTariff | None,
    *,
    policy: PricingPolicy,
    top: int,
    rows: SessionRows | None = None,
) -> SimulationResult:
    """Return what *new* would have made of the history in *chunks*.

    Args:
        chunks: The sessions; they may take long to come.
        new: The tariff that is tried out.
        old: What the old side is priced with; None: it is what was billed.
        policy: What both are priced by.
        top: How many sessions each list of the largest changes holds.
        rows: Where a row for each session is written.
    """
    against = None if old is None else bulk_tariff(old, policy=policy)
    simulation = Simulation(bulk_tariff(new, policy=policy), against, top=top, rows=rows)
    for chunk in chunks:
        simulation.add(chunk)
    return simulation.result


def extremes(
    changes: Mapping[str, BilledChange], top: int
) -> tuple[list[BilledChange], list[BilledChange]]:
    """Return those who pay less, the most first, and those who pay more, the most first."""
    ranked = sorted(changes.values(), key=lambda change: (change.difference_minor, change.name))
    winners = [change for change in ranked[:top] if change.difference_minor < 0]
    losers = [change for change in ranked[::-1][:top] if change.difference_minor > 0]
    return winners, losers


def _add_up(
    changes: dict[str, BilledChange], names: tuple[str, ...], index: Integers, sums: Integers
) -> None:
    """Add the rows of *sums* (sessions, energy, old, new) to the change of each one's name."""
    totals = np.zeros((_SUMS, len(names)), dtype=np.int64)
    for total, values in zip(totals, sums, strict=True):
        np.add.at(total, index, values)
    found = np.flatnonzero(totals[0])
    rows = zip(found.tolist(), totals.T[found].tolist(), strict=True)
    for i, (sessions, energy, old, new) in rows:
        change = changes.get(names[i])
        if change is None:
            change = changes[names[i]] = BilledChange(names[i])
        change.sessions += sessions
        change.energy_milli_wh += energy
        change.old_minor += old
        change.new_minor += new


def _milli_wh(columns: SessionColumns) -> Integers:
    return columns.energy_units() // _UNITS_PER_MILLI_WH


def _months(starts_us: Integers) -> tuple[Integers, tuple[str, ...]]:
    """Return which of the named months (UTC) each session began in."""
    months, index = np.unique(
        starts_us.astype("datetime64[us]").astype("datetime64[M]"), return_inverse=True
    )
    return index.astype(np.int64), tuple(str(month) for month in months)


class OtherCurrencyError(TariffError):
    """Old and new amounts are in different currencies."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"the history is in {old}, the new tariff in {new}")
        self.old, self.new = old, new

"""Check a partner's CDR: price each charging period as sent, at what holds where it starts.

For our own sessions we cut (`tariffs.kernel.pricing`). A partner's CDR is already cut: it states
what each period had, and its total is a demand. Whoever cuts it anew prices another session: the
registers in between are not known, and every difference would be our own guess. So a period is
priced whole, by the elements that hold at its first instant, with its volumes as stated. OCPI
wants a new period wherever the price changes (mod_cdrs, ChargingPeriod); where a partner did not
cut, the total stays as sent and a note says where another price would have held.

Example 1. 0.50 per kWh before 11:00, 0.30 from then on, 10 kWh from 10:00 to 12:00:

    one period from 10:00         10 x 0.50 = 5.00, note period_spans_price_change
    periods from 10:00 and 11:00  5 x 0.50 + 5 x 0.30 = 4.00, no note

As our own session, with no reading at 11:00, it would be cut there and cost 4.00.

Example 2. Times are stated in hours, and 22 minutes are no decimal. 3.00 per hour, step 60 s, a
period from 10:00 to 10:22:

    TIME 0.3667     22 min, as the period's own times say: 1.10, not a 23rd minute
    TIME 0.38       22 min 48 s, for that is no rounding of 22 min: 23 min, 1.15

The period's times stand in for the statement only within half of its last digit, and at most 1.8 s
(half of 0.001 h).

State follows from what was sent: RESERVATION_TIME is a reservation, PARKING_TIME without TIME is
parking, all else is charging. Several tariffs share one walk and one budget of steps
(`tariffs.cdr.tariffs`). From the runs on, everything is `settle`, as for our own sessions: one
order, one rounding. A grace is not applied and a note says so: it would cut a period that was sent
whole.

Looking for another price is dearer than pricing. Each look-up also says until when, and until
which energy, its answer holds; only a period that reaches further is looked at (`spans_note`).

Held by tests/tariffs/kernel/test_worked_examples.py (the 38 examples of the texts) and
tests/tariffs/cdr/test_ocpi_pricing.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from tariffs.cdr.cdr import Cdr, ChargingPeriod
from tariffs.cdr.spans import Cut, spans_note
from tariffs.cdr.tariffs import JoinedTariff, choose_tariffs
from tariffs.cdr.usage import begins, points_of
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, State
from tariffs.kernel.measurements import measured_mask, no_data_note
from tariffs.kernel.priced import Note, PricedSession
from tariffs.kernel.settling import settle
from tariffs.kernel.tally import Run, is_flat_due
from tariffs.model.periods import DAY_US
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.usage import SessionUsage, microseconds
from tariffs.phrases.english import ENGLISH
from tariffs.quantities import EXACT, plain
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, TIME_UNITS_PER_HOUR
from tariffs.zones import zone

UTC_NAME: Final = "UTC"
# A stated duration that differs by less than its own rounding (and than this) is the period's.
_ROUNDING_US_MAX: Final = 1_800_000
# Above all instants and energies, which are whole numbers: infinity would be a float.
_NEVER: Final = 1 << 200
_ENERGY_UNITS_PER_KWH: Final = Decimal(ENERGY_UNITS_PER_KWH)
_TIME_UNITS_PER_HOUR: Final = Decimal(TIME_UNITS_PER_HOUR)


def price_cdr(
    cdr: Cdr,
    compiled: CompiledTariff | Sequence[CompiledTariff],
    *,
    time_zone: str | None = None,
    policy: PricingPolicy = DEFAULT,
    reservation_expired: bool | None = None,
) -> PricedSession:
    """Price *cdr* period by period as it was sent.

    Args:
        cdr: The partner's CDR.
        compiled: The tariff that holds for it, or those that its periods name.
        time_zone: The location's zone; needed where the CDR does not carry it.
        policy: The choices where the standard leaves one.
        reservation_expired: None lets the CDR tell: it has nothing but reservation time.

    Raises:
        CurrencyDiffersError: If CDR and tariff are in different currencies.
        TimeZoneMissingError: If the tariff depends on local time and no zone is known.
        TariffMissingError: If a period's tariff was not given.
        UnknownZoneError: If the zone does not exist.
    """
    notes: list[Note] = []
    given = (compiled,) if isinstance(compiled, CompiledTariff) else compiled
    chosen, parts = choose_tariffs(cdr, given, notes)
    if cdr.currency is not None and cdr.currency != chosen.tariff.currency:
        raise CurrencyDiffersError(cdr.currency, chosen.tariff.currency)
    zone_name = time_zone or cdr.time_zone
    if zone_name is None and chosen.clock_restricted:
        raise TimeZoneMissingError(cdr.id)
    expired = cdr.reservation_expired if reservation_expired is None else reservation_expired
    policy = chosen.policy(policy)
    checker = _Checker(cdr, chosen, parts, policy, zone_name or UTC_NAME, expired=expired)
    checker.notes.extend(notes)
    runs = checker.runs()
    if chosen.grace_us:
        message = "the grace of the tariff was not applied: a CDR is priced as it was sent"
        checker.notes.append(Note("grace_not_applied", message))
    usage = SessionUsage(
        starts_at=begins(cdr),
        ends_at=cdr.ends_at,
        time_zone=zone_name or UTC_NAME,
        # Registers are asked for only where something is cut within a period: days, nights, a
        # series.
        points=points_of(cdr) if chosen.tariff.adjustments or chosen.series is not None else (),
        reservation_expired=expired,
    )
    return settle(runs, chosen, policy, usage=usage, ends_us=checker.ends_us, remarks=checker.notes)


class _Checker:
    """Walks the periods of one CDR and makes their runs."""

    __slots__ = (
        "_cdr",
        "_charged",
        "_charging_us",
        "_clock",
        "_compiled",
        "_duration",
        "_energy",
        "_energy_until",
        "_every",
        "_flats",
        "_held",
        "_joined",
        "_measures",
        "_parts",
        "_policy",
        "_reserved",
        "_runs",
        "_until",
        "_zone",
        "ends_us",
        "notes",
    )

    def __init__(
        self,
        cdr: Cdr,
        compiled: CompiledTariff,
        parts: Sequence[int] | None,
        policy: PricingPolicy,
        time_zone: str,
        *,
        expired: bool,
    ) -> None:
        self.notes: list[Note] = []
        self.ends_us = microseconds(cdr.ends_at)
        self._cdr, self._compiled, self._parts, self._policy = cdr, compiled, parts, policy
        self._zone = time_zone
        self._clock = compiled.clock(zone(time_zone)) if compiled.clock_restricted else None
        self._reserved = State.RESERVATION_EXPIRED if expired else State.RESERVATION
        self._flats: list[CompiledComponent] = []
        self._runs: list[Run] = []
        bands = compiled.bands
        self._duration, self._charged, self._measures = bands.duration, bands.energy, bands.measured
        self._every = compiled.all_elements
        self._joined = compiled if isinstance(compiled, JoinedTariff) else None
        self._energy = self._energy_until = 0
        # What clock, duration and energy allow, until when: to be looked up at the first period.
        self._held, self._until = (self._every, self._every, self._every), -_NEVER
        self._charging_us = self.ends_us

    def runs(self) -> list[Run]:
        """Return what each period counts, in order."""
        periods = self._cdr.periods
        bounds = [microseconds(period.starts_at) for period in periods]
        for index, period in enumerate(periods):
            if period.reservation_time is None:
                self._charging_us = bounds[index]
                break
        bounds.append(self.ends_us)
        for index, period in enumerate(periods):
            self._period(index, period, bounds[index], bounds[index + 1])
        return self._runs

    def _period(self, index: int, period: ChargingPeriod, start: int, end: int) -> None:
        compiled, begun = self._compiled, self._energy
        if start >= self._until or begun >= self._energy_until:
            self._held = self._look_up(start)
        mask, allowed = self._held[0] & self._held[1] & self._held[2], self._every
        if self._measures or self._joined is not None:
            allowed = self._allowed(index, period)
            mask &= allowed
        if period.reservation_time is not None:
            state = self._reserved
        elif period.parking_time is None or period.time is not None:
            # With both times in one period energy and fee are those of charging; only its parking
            # time is parking.
            state = State.CHARGING
        else:
            state = State.PARKING
        flat, energy, timed = compiled.select(mask, state)
        if flat is not None and is_flat_due(flat, self._flats, self._policy):
            self._flats.append(flat)
            self._add(flat, index, start, start, 1)
        if period.energy:
            units = int(EXACT.multiply(period.energy, _ENERGY_UNITS_PER_KWH))
            self._energy = begun + units
            self._add(energy, index, start, end, units)
        self._time(index, period, mask, timed, start, end)
        # Most periods end where a price changes, as they should, and are not searched.
        if end > self._until or self._energy > self._energy_until:
            masks = (*self._held, allowed)
            cut = Cut(index, period, state, start, end, begun, self._energy, masks)
            note = spans_note(cut, compiled, self._clock, self._charging_us, time_zone=self._zone)
            if note is not None:
                self.notes.append(note)

    def _time(
        self,
        index: int,
        period: ChargingPeriod,
        mask: int,
        timed: CompiledComponent | None,
        start: int,
        end: int,
    ) -> None:
        """Count the times that are stated, each at what holds for it; *timed* is the state's."""
        hours, parked, reserved = period.time, period.parking_time, period.reservation_time
        if reserved is not None:
            self._add(timed, index, start, end, _duration(reserved, end - start))
            return
        # Of a period with both times, neither can be told from the period's length.
        lasts = end - start if hours is None or parked is None else None
        # Time costs nothing under most tariffs, and is not counted then.
        if hours and timed is not None:
            self._add(timed, index, start, end, _duration(hours, lasts))
        if parked:
            if hours is not None:
                timed = self._compiled.select(mask, State.PARKING)[2]
            self._add(timed, index, start, end, _duration(parked, lasts))

    def _add(
        self, component: CompiledComponent | None, index: int, start: int, end: int, units: int
    ) -> None:
        if units and component is not None:
            if self._joined is not None and self._parts is not None:
                component = self._joined.named(component, self._parts[index])
            self._runs.append(Run(component, start, end, units, units))

    def _look_up(self, start: int) -> tuple[int, int, int]:
        """Return the elements that clock, duration and energy allow from *start* on.

        Until which instant and energy they hold is kept: no period before is looked up anew, and
        only one that reaches further is looked at for a change of price.
        """
        clocked = lasting = charged = self._every
        until = energy_until = _NEVER
        if self._clock is not None:
            day = start // DAY_US
            changes = self._clock.changes(day)
            found = bisect_right(changes, (start, _NEVER))
            clocked = changes[found - 1][1]
            until = changes[found][0] if found < len(changes) else (day + 1) * DAY_US
        if self._duration is not None:
            # While it is reserved no time of the session has passed.
            thresholds, elapsed = self._duration.thresholds, max(0, start - self._charging_us)
            found = bisect_right(thresholds, elapsed)
            lasting = self._duration.masks[found]
            if found < len(thresholds):
                until = min(until, self._charging_us + thresholds[found])
        if self._charged is not None:
            thresholds = self._charged.thresholds
            found = bisect_right(thresholds, self._energy)
            charged = self._charged.masks[found]
            energy_until = thresholds[found] if found < len(thresholds) else _NEVER
        self._until, self._energy_until = until, energy_until
        return clocked, lasting, charged

    def _allowed(self, index: int, period: ChargingPeriod) -> int:
        """Return the elements that measurements, and of several tariffs the period's, allow."""
        allowed = self._measured(index, period) if self._measures else self._every
        if self._joined is not None and self._parts is not None:
            allowed &= self._joined.masks[self._parts[index]]
        return allowed

    def _measured(self, index: int, period: ChargingPeriod) -> int:
        measured, missing = measured_mask(
            self._compiled,
            self._policy,
            power=_watts(period.min_power, period.max_power),
            current=(period.min_current, period.max_current),
        )
        note = no_data_note(self._policy)
        # Once a CDR, not once a period.
        if missing and all(known.code != note.code for known in self.notes):
            spot = f"charging_periods[{index}].dimensions"
            self.notes.append(Note(note.code, ENGLISH.words(note), spot))
        return measured


def _duration(hours: Decimal, period_us: int | None) -> int:
    """Return stated hours as microseconds, without the rounding of the statement.

    0.3667 h cannot be 22 min; where the period's own times say 22 min, it is 22 min. Else a
    step of a minute would be billed that nobody used.
    """
    stated = EXACT.multiply(hours, _TIME_UNITS_PER_HOUR)
    units = int(stated)
    if period_us is None or period_us == units:
        return units
    exponent = plain(hours).as_tuple().exponent
    half_digit = Decimal((0, (5,), int(exponent) - 1)) * TIME_UNITS_PER_HOUR
    # Who states 0.4 h may mean 3 min more or less: that is no rounding, it is taken at its word.
    tolerance = min(half_digit, Decimal(_ROUNDING_US_MAX))
    return period_us if abs(stated - period_us) <= tolerance else units


def _watts(low: Decimal | None, high: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """Return kW as W."""
    return (
        None if low is None else EXACT.scaleb(low, 3),
        None if high is None else EXACT.scaleb(high, 3),
    )


class CurrencyDiffersError(TariffError):
    """A CDR and its tariff are in different currencies."""

    def __init__(self, cdr: str, tariff: str) -> None:
        super().__init__(f"the CDR is in {cdr}, its tariff in {tariff}")
        self.cdr, self.tariff = cdr, tariff


class TimeZoneMissingError(TariffError):
    """A tariff depends on local time and nobody said where."""

    def __init__(self, cdr_id: str) -> None:
        super().__init__(f"CDR {cdr_id} needs a time zone: its tariff depends on local time")
        self.cdr_id = cdr_id

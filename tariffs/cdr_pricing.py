"""Check a partner's CDR: price each charging period as sent, at what holds where it starts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from tariffs.cdr import Cdr, ChargingPeriod
from tariffs.compiled import CompiledComponent, CompiledTariff, State
from tariffs.errors import TariffError
from tariffs.measurements import NO_DATA_NOTES, measured_mask
from tariffs.policy import DEFAULT, PricingPolicy
from tariffs.priced import Note, PricedSession
from tariffs.quantities import EXACT
from tariffs.settling import settle
from tariffs.tally import Run, is_flat_due
from tariffs.taxes import ENERGY_UNITS_PER_KWH, TIME_UNITS_PER_HOUR
from tariffs.usage import SessionUsage, microseconds

# A stated duration that differs by less than its own rounding (and than this) is the period's.
_ROUNDING_US_MAX: Final = 1_800_000
_Timed = tuple[CompiledComponent | None, Decimal | None]


def price_cdr(
    cdr: Cdr,
    compiled: CompiledTariff,
    *,
    time_zone: str | None = None,
    policy: PricingPolicy = DEFAULT,
    reservation_expired: bool | None = None,
) -> PricedSession:
    """Price *cdr* period by period as it was sent.

    Args:
        cdr: The partner's CDR.
        compiled: The tariff that holds for it.
        time_zone: The location's zone; needed where the CDR does not carry it.
        policy: The choices where the standard leaves one.
        reservation_expired: None lets the CDR tell: it has nothing but reservation time.

    Raises:
        CurrencyDiffersError: If CDR and tariff are in different currencies.
        TimeZoneMissingError: If the tariff depends on local time and no zone is known.
    """
    if cdr.currency != compiled.tariff.currency:
        raise CurrencyDiffersError(cdr.currency, compiled.tariff.currency)
    zone_name = time_zone or cdr.time_zone
    if zone_name is None and compiled.clock_restricted:
        raise TimeZoneMissingError(cdr.id)
    expired = cdr.reservation_expired if reservation_expired is None else reservation_expired
    checker = _Checker(cdr, compiled, policy, zone_name or "UTC", expired=expired)
    runs = checker.runs()
    usage = SessionUsage(
        starts_at=cdr.starts_at,
        ends_at=cdr.ends_at,
        time_zone=zone_name or "UTC",
        reservation_expired=expired,
    )
    ends_us = microseconds(cdr.ends_at)
    return settle(runs, compiled, policy, usage=usage, ends_us=ends_us, notes=checker.notes)


class _Checker:
    """Walks the periods of one CDR and makes their runs."""

    def __init__(
        self,
        cdr: Cdr,
        compiled: CompiledTariff,
        policy: PricingPolicy,
        time_zone: str,
        *,
        expired: bool,
    ) -> None:
        self.notes: list[Note] = []
        self._cdr, self._compiled, self._policy = cdr, compiled, policy
        self._clock = compiled.clock(time_zone) if compiled.clock_restricted else None
        self._reserved = State.RESERVATION_EXPIRED if expired else State.RESERVATION
        self._flats: list[CompiledComponent] = []
        self._energy = 0
        self._charging_us = next(
            (microseconds(p.starts_at) for p in cdr.periods if p.reservation_time is None),
            microseconds(cdr.ends_at),
        )

    def runs(self) -> list[Run]:
        """Return what each period counts, in order."""
        bounds = [microseconds(period.starts_at) for period in self._cdr.periods]
        bounds.append(microseconds(self._cdr.ends_at))
        runs = [
            run
            for period, (start, end) in zip(self._cdr.periods, pairwise(bounds), strict=True)
            for run in self._period(period, start, end)
        ]
        return [run for run in runs if run.volume]

    def _period(self, period: ChargingPeriod, start: int, end: int) -> Iterator[Run]:
        mask = self._mask(period, start)
        select = self._compiled.select
        if period.reservation_time is not None:
            flat, energy, reserved = select(mask, self._reserved)
            timed: list[_Timed] = [(reserved, period.reservation_time)]
        else:
            parked = period.parking_time is not None and period.time is None
            flat, energy, _ = select(mask, State.PARKING if parked else State.CHARGING)
            timed = [
                (select(mask, State.CHARGING)[2], period.time),
                (select(mask, State.PARKING)[2], period.parking_time),
            ]
        if flat is not None and is_flat_due(flat, self._flats, self._policy):
            self._flats.append(flat)
            yield Run(flat, start, start, 1, 1)
        if period.energy is not None:
            units = _units(period.energy, ENERGY_UNITS_PER_KWH)
            self._energy += units
            yield Run(energy, start, end, units, units)
        for component, hours in timed:
            if component is None or hours is None:
                continue
            alone = period.time is None or period.parking_time is None
            units = self._duration(hours, end - start if alone else None)
            yield Run(component, start, end, units, units)

    def _mask(self, period: ChargingPeriod, start: int) -> int:
        """Return the elements that may apply where the period starts."""
        mask = self._compiled.all_elements
        bands = self._compiled.bands
        if self._clock is not None:
            mask &= self._clock.mask_at(start)
        if bands.duration is not None:
            mask &= bands.duration.mask_at(max(0, start - self._charging_us))
        if bands.energy is not None:
            mask &= bands.energy.mask_at(self._energy)
        if bands.measured:
            measured, missing = measured_mask(
                self._compiled,
                self._policy,
                power=_watts(period.min_power, period.max_power),
                current=(period.min_current, period.max_current),
            )
            mask &= measured
            note = NO_DATA_NOTES[self._policy.no_data]
            if missing and note not in self.notes:
                self.notes.append(note)
        return mask

    def _duration(self, hours: Decimal, period_us: int | None) -> int:
        """Return stated hours as microseconds, without the rounding of the statement.

        0.3667 h cannot be 22 min; where the period's own times say 22 min, it is 22 min. Else a
        step of a minute would be billed that nobody used.
        """
        stated = EXACT.multiply(hours, Decimal(TIME_UNITS_PER_HOUR))
        units = int(stated)
        if period_us is None or period_us == units:
            return units
        exponent = hours.as_tuple().exponent
        half_digit = Decimal((0, (5,), int(exponent) - 1)) * TIME_UNITS_PER_HOUR
        tolerance = min(half_digit, Decimal(_ROUNDING_US_MAX))
        return period_us if abs(stated - period_us) <= tolerance else units


def _units(volume: Decimal, per_unit: int) -> int:
    return int(EXACT.multiply(volume, Decimal(per_unit)))


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

"""What meters signed of a session, held against the registers and times that it is billed by.

The signed value is the legal one, and nobody here verifies a signature: so a signed register never
takes the place of the plain one, and one that says something else holds the session until a person
has looked. 1,000 Wh at 08:00, 6,000 Wh at 09:00:

    signed 1,000 and 6,000             -> agreed; so are 0 and 5,000, which count from the start
    signed 1,000 and 6,011, or 5.6 kWh -> signed_reading_differs, also for one in between
    signed at 09:05:01 by a set clock  -> signed_time_differs: that is of another session
    two serial numbers                 -> signed_meters_differ
    a record that ends in the middle   -> signed_unreadable; it contradicts nothing
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_facts import Measurand, SessionFact
from ledger.facts.station_traits import StationTraits
from ledger.log.envelope import SignedRecord, SignedRegister
from ledger.meter.series import Metered

SIGNED_APART_MAX: Final = timedelta(minutes=5)
"""How far a signed time may lie outside of start and stop: two clocks, and the lock of the plug."""
_ALIKE_WH: Final = Decimal(10)
"""Two readings that mean the same may lie so far apart; one in coarser steps less than its step."""
_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)
_ENDS: Final = frozenset({"begin", "end"})


class _Signed(NamedTuple):
    """A signed register, and the plain ones that its frame tells of the same moment, sorted."""

    register: SignedRegister
    beside: Sequence[Decimal]


def signed_flags(
    facts: Iterable[SessionFact],
    metered: Metered,
    bounds: tuple[datetime, datetime],
    traits: StationTraits,
) -> set[Flag]:
    """Return what the signed records in *facts* contradict of a session that has ended.

    *bounds* are its start and its stop, *traits* its station's, which may name a wrong unit.
    """
    told = [fact for fact in facts if any(each.record is not None for each in fact.signed)]
    if not told:  # nearly always
        return set()
    records = [each.record for fact in told for each in fact.signed if each.record is not None]
    factor = traits.register_factor or _ONE
    signed = [each for fact in told for each in _signed_in(fact, factor)]
    flags = _flags_of_records(records)
    first, last = bounds[0] - SIGNED_APART_MAX, bounds[1] + SIGNED_APART_MAX
    moments = [at for each in signed if (at := each.register.at) is not None]
    if any(not first <= at <= last for at in moments) or _is_turned(signed):
        flags.add(Flag.SIGNED_TIME_DIFFERS)
    if not _is_agreed(signed, metered):
        flags.add(Flag.SIGNED_READING_DIFFERS)
    return flags


def _is_agreed(signed: Sequence[_Signed], metered: Metered) -> bool:
    """Return True when a signed register says what start and stop do.

    Before and after losses, of the mains and the device: what is told plainly is one of those that
    are signed at both ends. Where none is, each end is held against what is signed there.
    Intervals have no register: they come to what one rose by that is signed at both ends.
    """
    start_wh, stop_wh, has_register = metered.start_wh, metered.stop_wh, True
    if start_wh is None or stop_wh is None:
        start_wh, stop_wh, has_register = _ZERO, metered.energy_wh, False
    if stop_wh is None:
        return True
    groups: dict[str, list[_Signed]] = {}
    for each in signed:
        groups.setdefault(each.register.register, []).append(each)
    stages = {name: {each.register.stage for each in some} for name, some in groups.items()}
    agreed = {name for name, some in groups.items() if _agrees(some, start_wh, stop_wh)}
    whole = {name for name, found in stages.items() if found >= _ENDS}
    if whole:
        return bool(whole & agreed)
    if not has_register:
        return True
    told = {each.register.stage for each in signed}
    return all(any(stage in stages[name] for name in agreed) for stage in told)


def _flags_of_records(records: Sequence[SignedRecord]) -> set[Flag]:
    flags = set()
    if any(record.is_broken for record in records):
        flags.add(Flag.SIGNED_UNREADABLE)
    if any(each.is_in_error for record in records for each in record.registers):
        flags.add(Flag.SIGNED_IN_ERROR)
    if len({record.meter for record in records if record.meter}) > 1:
        flags.add(Flag.SIGNED_METERS_DIFFER)
    return flags


def _signed_in(fact: SessionFact, factor: Decimal) -> Iterator[_Signed]:
    """Yield the signed registers of *fact*, each with the plain totals of its moment."""
    beside: dict[datetime | None, list[Decimal]] = {}
    for reading in fact.readings:
        if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None:
            beside.setdefault(reading.occurred_at, []).append(reading.value * factor)
    for values in beside.values():
        values.sort()
    for signed in fact.signed:
        if signed.record is None:
            continue
        for register in signed.record.registers:
            yield _Signed(register, beside.get(signed.occurred_at, ()))


def _is_turned(signed: Sequence[_Signed]) -> bool:
    """Return True when something was signed to have ended before it began."""
    moments: Mapping[str, list[datetime]] = {"begin": [], "end": [], "between": []}
    for register, _ in signed:
        if register.at is not None:
            moments[register.stage].append(register.at)
    return bool(moments["begin"] and moments["end"]) and min(moments["end"]) < max(moments["begin"])


def _agrees(group: Sequence[_Signed], start_wh: Decimal, stop_wh: Decimal) -> bool:
    """Return True when the registers in *group* say what start and stop do, and what is between.

    Either may count from the start of the session, from 0: then what it rose by counts.
    """
    begins, ends = (
        [register for register, _ in group if register.stage == stage] for stage in ("begin", "end")
    )
    offset = Decimal(0)
    if not all(_is_same(each, start_wh) for each in begins):
        offset = start_wh - begins[0].value_wh
        if start_wh and begins[0].value_wh:
            return False
    elif not begins and ends and not _is_same(ends[0], stop_wh):
        offset = start_wh  # no signed start: it may count from it
    if not all(_is_same(each, start_wh - offset) for each in begins):
        return False
    if not all(_is_same(each, stop_wh - offset) for each in ends):
        return False
    return all(
        _is_beside(each, (Decimal(0), offset, start_wh), offset)
        for each in group
        if each.register.stage == "between"
    )


def _is_same(signed: SignedRegister, plain_wh: Decimal) -> bool:
    apart = abs(signed.value_wh - plain_wh)
    return apart <= _ALIKE_WH or apart < signed.step_wh


def _is_beside(signed: _Signed, bases: Iterable[Decimal], offset: Decimal) -> bool:
    """Return True when a plain reading of its moment, counted from one of *bases*, is the same."""
    values = signed.beside
    if not values:
        return True
    for base in bases:
        wanted = signed.register.value_wh + offset - base
        index = bisect_left(values, wanted)
        if any(
            _is_same(signed.register, each - offset + base)
            for each in values[max(index - 1, 0) : index + 1]
        ):
            return True
    return False

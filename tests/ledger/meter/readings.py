"""Register readings and sessions for the tests of the meter: 22 kW, from 08:00 on."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from ledger.meter.checks import is_coarse
from ledger.meter.evidence import MeterEvidence, PowerReading
from ledger.meter.measure import measure
from ledger.meter.series import Accumulated, Metered, PowerLimit, RegisterReading
from tests.station_story import at

LIMIT: Final = PowerLimit(Decimal(22_000))
COARSE: Final = PowerLimit(Decimal(22_000), coarse=True)
Told = tuple[float, object]
"""Minutes after 08:00, and a value."""


def reading(minute: float, value: object) -> RegisterReading:
    """Return a register reading; a later one of the same moment and value is the same."""
    return RegisterReading(at(minute), Decimal(str(value)), 0, 0)


def readings(*told: Told) -> list[RegisterReading]:
    """Return register readings."""
    return [reading(minute, value) for minute, value in told]


def powers(*told: Told) -> tuple[PowerReading, ...]:
    """Return power readings in W."""
    return tuple(PowerReading(at(minute), Decimal(str(value))) for minute, value in told)


def measured(
    start: object | None,
    samples: list[Told],
    stop: object | None,
    *,
    ends_at: float | None = 60,
    power: list[Told] | None = None,
    restarts: tuple[float, ...] = (),
    until: float | None = None,
    **more: list[Told],
) -> Metered:
    """Return the measured session from 08:00 to 09:00; *more* are begins, ends or intervals."""
    evidence = MeterEvidence(
        declared_start=() if start is None else (reading(0, start),),
        declared_stop=() if stop is None or ends_at is None else (reading(ends_at, stop),),
        samples=tuple(readings(*samples)),
        powers=powers(*(power or [])),
    )
    roles = {role: tuple(readings(*told)) for role, told in more.items()}
    evidence = msgspec.structs.replace(evidence, **roles)
    return measure(
        evidence,
        started_at=at(0),
        ended_at=None if ends_at is None else at(ends_at),
        limit=PowerLimit(Decimal(22_000), coarse=is_coarse(evidence)),
        until=None if until is None else at(until),
        restarts=[at(minute) for minute in restarts],
    )


def outcome(of: Metered | Accumulated) -> tuple[object, object]:
    """Return the energy and the flags."""
    energy_wh = of.energy_wh if isinstance(of, Metered) else of.counted[-1].energy_wh
    return energy_wh, of.flags

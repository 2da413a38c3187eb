"""The energy balance of one station: what its registers say, day by day, and whose it is.

Three things are counted, each by itself:

* metered: what the register of each place rose by, told by anybody (`register_walk`);
* what sessions and the gaps between them took of it, from reading to reading, without those that
  the fold set aside with a flag; what two sessions both have of one register is counted once;
* what the fold says that each session drew.

The first less the second is `dropped_wh`. So metered = dropped + sessions + unattributed holds to
the Wh, or the fold is wrong. A rise belongs to the site-local day of the later reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Final

from ledger.facts.station_facts import StationBooted, StationFact
from ledger.facts.station_traits import StationTraits, zone_of
from ledger.sessions.session import ChargingSession
from projections.balances.station_rises import RegisterRise, StationRises
from tariffs.quantities import EXACT

_ZERO: Final = Decimal(0)


@dataclass(slots=True, kw_only=True)
class DayEnergy:
    """One site-local day of a station; energies in Wh.

    `sessions` holds what the fold gave to each session, `shared` the part of it that another
    session has of the same register, `metered_wh` what the registers rose by. `taken_wh` is
    what sessions and gaps took of that by the readings that were used.
    """

    day: date
    metered_wh: Decimal = _ZERO
    taken_wh: Decimal = _ZERO
    unattributed_wh: Decimal = _ZERO
    sessions: dict[str, Decimal] = field(default_factory=dict)
    shared: dict[str, Decimal] = field(default_factory=dict)

    @property
    def dropped_wh(self) -> Decimal:
        """What the register rose by and the fold set aside; below 0: what it added."""
        return EXACT.subtract(self.metered_wh, self.taken_wh)

    @property
    def difference_wh(self) -> Decimal:
        """What is metered but neither dropped, a session's nor nobody's: 0, or the fold is wrong.

        What several sessions have counts once.
        """
        with localcontext(EXACT):
            drawn = sum(self.sessions.values(), _ZERO) - sum(self.shared.values(), _ZERO)
            return self.metered_wh - self.dropped_wh - self.unattributed_wh - drawn


def station_energy(
    facts: Iterable[StationFact],
    sessions: Iterable[ChargingSession],
    traits: StationTraits,
    *,
    first: Collection[str] = (),
) -> list[DayEnergy]:
    """Return the balance of one station by day, oldest first.

    Args:
        facts: Every fact of the station.
        sessions: Every session folded from them.
        traits: Of the station; the days are those of its time zone.
        first: Sessions that have their part of a register before others do.
    """
    facts = list(facts)
    boots = sorted(fact.received_at for fact in facts if isinstance(fact, StationBooted))
    # A day may have more rises of a wild register than 28 digits can add up.
    with localcontext(EXACT):
        rises = StationRises(sessions, traits, boots, first=first)
        rises.count(facts)
        return by_day(rises.rises, rises.sessions, traits.time_zone)


def by_day(
    rises: Iterable[RegisterRise], sessions: Iterable[ChargingSession], time_zone: str
) -> list[DayEnergy]:
    """Return *rises*, and what *sessions* drew, by day of *time_zone*, oldest first."""
    zone = zone_of(time_zone)
    days: dict[date, DayEnergy] = {}

    def day_of(day: date) -> DayEnergy:
        return days.setdefault(day, DayEnergy(day=day))

    for part, at, energy_wh, _, session_id in rises:
        day = day_of(at.astimezone(zone).date())
        if part == "shared_wh":
            assert session_id is not None
            day.shared[session_id] = day.shared.get(session_id, _ZERO) + energy_wh
        else:
            setattr(day, part, getattr(day, part) + energy_wh)
    for session in sessions:
        for each, energy_wh in session_days(session, time_zone).items():
            day_of(each).sessions[session.session_id] = energy_wh
    return [days[day] for day in sorted(days)]


def session_days(session: ChargingSession, time_zone: str) -> dict[date, Decimal]:
    """Return the energy of *session* by day: each rise belongs to the day of its later point."""
    zone = zone_of(time_zone)
    days: defaultdict[date, Decimal] = defaultdict(Decimal)
    for earlier, later in pairwise(session.points):
        days[later.at.astimezone(zone).date()] += later.energy_wh - earlier.energy_wh
    return dict(days)

"""Where every metered Wh went, per station and site-local day.

metered = billed + free by rule + held + unattributed + dropped, or the difference says by how much
not. Metered is what the registers rose by, whosever that is; dropped is what of it the fold set
aside with a flag (below 0: what it added, as after a reset). `held_wh` is all that a session drew
and nobody pays (yet): its parts are open, waiting, held sessions and those written off. What two
sessions have of one register is held once; were both billed, the difference would show it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, localcontext
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.sessions.states import SessionState
from projections.balances.allotted import SessionDay, allotted
from projections.balances.documented import documented_wh
from projections.balances.station_energy import DayEnergy, station_energy
from projections.stations.history import StationHistory, station_history
from tariffs.quantities import EXACT

ZERO: Final = Decimal(0)
STATIONS: LiteralString = """
SELECT DISTINCT station_id FROM fact WHERE %(station)s::text IS NULL OR station_id = %(station)s
ORDER BY station_id
"""
STATES: LiteralString = """
SELECT session_id, state FROM listed_session WHERE station_id = %s
"""
RATINGS: LiteralString = """
SELECT body FROM final_decision WHERE station_id = %s AND kind IN ('rated', 'released', 'corrected')
"""
PART_OF: Final[Mapping[str, str]] = {
    SessionState.HELD: "held_for_decision_wh",
    SessionState.WRITTEN_OFF: "written_off_wh",
    SessionState.WAITING: "waiting_wh",
    SessionState.OPEN: "open_wh",
}


@dataclass(slots=True, kw_only=True)
class EnergyDay:
    """One station on one day of its site's calendar, or a total of such days; energies in Wh.

    `late_wh` is the part of `unattributed_wh` that came to light after a session was rated. Of
    `billed_wh`, `invoiced_wh` stands on invoices and `no_invoice_wh` comes on none.
    """

    station_id: str
    day: date | None
    metered_wh: Decimal = ZERO
    billed_wh: Decimal = ZERO
    free_wh: Decimal = ZERO
    held_for_decision_wh: Decimal = ZERO
    waiting_wh: Decimal = ZERO
    open_wh: Decimal = ZERO
    written_off_wh: Decimal = ZERO
    unattributed_wh: Decimal = ZERO
    late_wh: Decimal = ZERO
    dropped_wh: Decimal = ZERO
    invoiced_wh: Decimal = ZERO
    no_invoice_wh: Decimal = ZERO

    @property
    def held_wh(self) -> Decimal:
        """Drawn in sessions that nobody pays, or nobody pays yet."""
        waiting = self.waiting_wh + self.open_wh
        return self.held_for_decision_wh + waiting + self.written_off_wh

    @property
    def difference_wh(self) -> Decimal:
        """What is metered but accounted for nowhere; below 0: accounted for but not metered."""
        with localcontext(EXACT):
            known = self.billed_wh + self.free_wh + self.held_wh + self.unattributed_wh
            return self.metered_wh - self.dropped_wh - known

    def add(self, part: str, energy_wh: Decimal) -> None:
        """Add *energy_wh* to the field *part*."""
        setattr(self, part, EXACT.add(getattr(self, part), energy_wh))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyBalance:
    """The balance of some stations: day by day, and in all."""

    days: tuple[EnergyDay, ...]
    total: EnergyDay

    @property
    def is_balanced(self) -> bool:
        """Whether every single day adds up to the Wh."""
        return not any(day.difference_wh for day in self.days)


def energy_balance(
    connection: Connection[Any],
    *,
    station_id: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    known: Declarations | None = None,
) -> EnergyBalance:
    """Return the balance of one station or all, of the days from *first_day* to *last_day*.

    Every fact is read and folded anew (`projections.energy` keeps it up). Declarations that are
    *known* need not be read again.
    """
    declarations = load_declarations(connection, known=known)
    stations = [row[0] for row in connection.execute(STATIONS, {"station": station_id})]
    days = [
        day
        for station in stations
        for day in _station_days(connection, declarations, station)
        if day.day is not None
        and (first_day is None or first_day <= day.day)
        and (last_day is None or day.day <= last_day)
    ]
    return EnergyBalance(days=tuple(days), total=_total(days))


def _total(days: Iterable[EnergyDay]) -> EnergyDay:
    total = EnergyDay(station_id="", day=None)
    for day in days:
        for each in fields(EnergyDay):
            if each.name.endswith("_wh"):
                total.add(each.name, getattr(day, each.name))
    return total


def _station_days(
    connection: Connection[Any], declarations: Declarations, station_id: str
) -> list[EnergyDay]:
    """Return the days of one station, each session's energy laid where its decision says."""
    history = station_history(connection, declarations, station_id)
    states = dict(connection.execute(STATES, (station_id,)).fetchall())
    rated = _ratings(connection, station_id)
    invoiced = documented_wh(connection, rated)
    with localcontext(EXACT):
        return _laid(station_id, history, states, rated, invoiced)


def _laid(
    station_id: str,
    history: StationHistory,
    states: Mapping[str, str],
    rated: Mapping[str, SessionRated],
    invoiced: Mapping[str, Decimal],
) -> list[EnergyDay]:
    """Lay what a station metered and what became of it on its days."""
    traits = history.traits
    metered = station_energy(history.facts, history.sessions.values(), traits, first=rated)
    drawn, shared = by_session(metered)
    sessions = allotted(
        drawn,
        shared,
        states=states,
        rated=rated,
        invoiced=invoiced,
        time_zone=traits.time_zone,
    )
    return energy_days(station_id, metered, sessions)


def by_session(
    metered: Iterable[DayEnergy],
) -> tuple[dict[str, dict[date, Decimal]], dict[str, dict[date, Decimal]]]:
    """Return what sessions drew by day, and what of it another session has before them."""
    drawn: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
    shared: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
    for each in metered:
        for session_id, energy_wh in each.sessions.items():
            drawn[session_id][each.day] = energy_wh
        for session_id, energy_wh in each.shared.items():
            shared[session_id][each.day] = energy_wh
    return dict(drawn), dict(shared)


def energy_days(
    station_id: str, metered: Iterable[DayEnergy], sessions: Iterable[SessionDay]
) -> list[EnergyDay]:
    """Return the days of one station: what its registers told, and what became of it."""
    days = _Days(station_id)
    for told in metered:
        day = days[told.day]
        day.metered_wh += told.metered_wh
        day.dropped_wh += told.dropped_wh
        day.unattributed_wh += told.unattributed_wh
    for each in sessions:
        day = days[each.day]
        if each.decided_as is None:
            day.add(PART_OF.get(each.state, "waiting_wh"), each.unpaid_wh)
            continue
        day.free_wh += each.free_wh
        day.billed_wh += each.billed_wh
        day.invoiced_wh += each.invoiced_wh
        day.no_invoice_wh += each.no_invoice_wh
        day.late_wh += each.late_wh
        day.unattributed_wh += each.late_wh
    return [days[day] for day in sorted(days)]


class _Days(defaultdict[date, EnergyDay]):
    """The days of a station, made when first asked for."""

    def __init__(self, station_id: str) -> None:
        super().__init__()
        self._station_id = station_id

    def __missing__(self, day: date) -> EnergyDay:
        made = self[day] = EnergyDay(station_id=self._station_id, day=day)
        return made


def _ratings(connection: Connection[Any], station_id: str) -> dict[str, SessionRated]:
    rows = connection.execute(RATINGS, (station_id,)).fetchall()
    decisions = [unpack_decision(body) for (body,) in rows]
    return {each.session_id: each for each in decisions if isinstance(each, SessionRated)}

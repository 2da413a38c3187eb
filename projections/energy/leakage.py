"""Leakage: what was metered, rated and invoiced, and each Wh that nobody is billed for.

Per station and day metered = billed + not billed, and billed = invoiced + on no invoice + still to
be invoiced. Each Wh not billed has a reason, and its value at list price: what a kWh cost, before
taxes, whom nobody knew, when its session began, or at noon of its day where it is no session's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.facts.station_traits import StationTraits, zone_of
from ledger.rating.decisions import SessionRated
from ledger.rating.reconciling.giving_back import GIVEN_BACK
from ledger.rating.stored import unpack_decision
from projections.balances.energy import EnergyDay
from projections.energy.list_prices import ListPrice, ListPrices
from projections.errors import ProjectionError
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase
from tariffs.quantities import EXACT

_ZERO: Final = Decimal(0)
DAYS: Final = 31
"""So many days up to the last one are looked at where none are named."""
_LAST_DAY: LiteralString = "SELECT max(day) FROM energy_day"
_SESSIONS: LiteralString = """
SELECT energy.station_id, energy.day, energy.session_id, energy.decided_as, energy.state,
       energy.drawn_wh - energy.shared_wh, energy.free_wh, energy.late_wh, session.reasons,
       session.blockers, coalesce(session.started_at, session.first_fact_at),
       CASE WHEN energy.free_wh <> 0 AND session.revision > 1 THEN (
           SELECT body FROM session_decision AS decision WHERE kind = 'corrected'
           AND decision.session_id = session.session_id AND decision.revision = session.revision
       ) END
FROM session_energy AS energy
LEFT JOIN session ON session.session_id = coalesce(energy.decided_as, energy.session_id)
WHERE energy.day >= %(first)s AND energy.day <= %(last)s
  AND (energy.decided_as IS NULL OR energy.late_wh <> 0 OR energy.free_wh <> 0)
  AND (%(stations)s::text[] IS NULL OR energy.station_id = ANY (%(stations)s))
ORDER BY energy.day, energy.station_id, energy.session_id
"""
_OTHERS: LiteralString = """
SELECT day.station_id, day, unattributed_wh - late_wh, dropped_wh, station.traits
FROM energy_day AS day JOIN energy_station AS station USING (station_id)
WHERE day >= %(first)s AND day <= %(last)s
  AND (unattributed_wh <> late_wh OR dropped_wh <> 0)
  AND (%(stations)s::text[] IS NULL OR station_id = ANY (%(stations)s))
ORDER BY day, station_id
"""


class Leak(StrEnum):
    """Why energy is billed to nobody."""

    HELD = "held"
    WAITING = "waiting"
    OPEN = "open"
    WRITTEN_OFF = "written_off"
    FREE = "free_by_rule"
    GIVEN_BACK = "given_back"
    LATE = "late"
    UNATTRIBUTED = "unattributed"
    DROPPED = "dropped"


MEANINGS: Final[Mapping[Leak, str]] = {
    Leak.HELD: "in sessions that wait for a person's decision",
    Leak.WAITING: "in sessions that ended and are not decided yet",
    Leak.OPEN: "in sessions under way",
    Leak.WRITTEN_OFF: "in sessions that a person gave up",
    Leak.FREE: "free by a rule of the tariff",
    Leak.GIVEN_BACK: "in sessions that a person gave back, or whose release was taken back",
    Leak.LATE: "came to light after the rating, and was not corrected",
    Leak.UNATTRIBUTED: "rose between sessions: nobody's",
    Leak.DROPPED: "told, and set aside with a flag; below 0: counted, and not told",
}
_LEAK_OF: Final[Mapping[str, Leak]] = {
    "held": Leak.HELD,
    "open": Leak.OPEN,
    "written_off": Leak.WRITTEN_OFF,
}


class UnbilledEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy of a day that nobody is billed for, in Wh, and its value before taxes.

    `because` are codes of what holds the session. No `price_per_kwh`: `no_price` says why.
    """

    station_id: str
    day: date
    reason: Leak
    session_id: str | None
    because: tuple[str, ...]
    energy_wh: Decimal
    price_per_kwh: Decimal | None
    currency: str | None
    value: Decimal | None
    no_price: Phrase | None


class LeakTotal(msgspec.Struct, kw_only=True):
    """All energy with one reason; `values` by currency, `unpriced_wh` is in none of them."""

    reason: Leak
    meaning: str
    energy_wh: Decimal = _ZERO
    unpriced_wh: Decimal = _ZERO
    values: dict[str, Decimal] = {}
    entries: int = 0

    def add(self, each: UnbilledEnergy) -> None:
        """Add *each*."""
        self.entries += 1
        self.energy_wh = EXACT.add(self.energy_wh, each.energy_wh)
        if each.value is None or each.currency is None:
            self.unpriced_wh = EXACT.add(self.unpriced_wh, each.energy_wh)
        else:
            known = self.values.get(each.currency, _ZERO)
            self.values[each.currency] = EXACT.add(known, each.value)


class EnergyMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What was metered, rated and invoiced of a station's day, in Wh.

    What is rated is billed or free by rule. Of what is billed `no_invoice_wh` comes on no
    invoice: it is settled with a partner, or nothing is due.
    `difference_wh` is metered and neither rated nor among what is not billed: 0, or all is wrong.
    """

    station_id: str
    day: date | None
    metered_wh: Decimal
    rated_wh: Decimal
    billed_wh: Decimal
    invoiced_wh: Decimal
    no_invoice_wh: Decimal
    to_invoice_wh: Decimal
    not_billed_wh: Decimal
    difference_wh: Decimal


class Leakage(msgspec.Struct, frozen=True, kw_only=True):
    """What was not billed from `first` to `last`; of all of it the `reasons`, rows the first."""

    first: date
    last: date
    reasons: tuple[LeakTotal, ...]
    rows: tuple[UnbilledEnergy, ...]
    rows_left_out: int


def match_of(day: EnergyDay) -> EnergyMatch:
    """Return the three-way match of *day*, or of a total."""
    billed = day.billed_wh
    return EnergyMatch(
        station_id=day.station_id,
        day=day.day,
        metered_wh=day.metered_wh,
        rated_wh=EXACT.add(billed, day.free_wh),
        billed_wh=billed,
        invoiced_wh=day.invoiced_wh,
        no_invoice_wh=day.no_invoice_wh,
        to_invoice_wh=EXACT.subtract(EXACT.subtract(billed, day.invoiced_wh), day.no_invoice_wh),
        not_billed_wh=EXACT.subtract(EXACT.subtract(day.metered_wh, billed), day.difference_wh),
        difference_wh=day.difference_wh,
    )


def days_asked(
    connection: Connection[Any], first: date | None, last: date | None
) -> tuple[date, date]:
    """Return the days that are meant: up to the last one with energy, and DAYS of them."""
    if last is None:
        [(newest,)] = connection.execute(_LAST_DAY).fetchall()
        last = max(newest or date.min, first or date.min)
    if first is None:
        first = last - min(timedelta(days=DAYS - 1), last - date.min)
    return first, last


def stations_at(connection: Connection[Any], declarations: Declarations, site_id: str) -> list[str]:
    """Return the stations with energy that were at a site when they were heard of last.

    Raises:
        UnknownSiteError: If no such site was declared.
    """
    if site_id not in declarations.keys(Kind.SITE):
        raise UnknownSiteError(site_id, declarations.keys(Kind.SITE))
    rows = connection.execute("SELECT station_id, heard_at FROM energy_station ORDER BY station_id")
    return [
        station_id
        for station_id, heard_at in rows
        if (station := declarations.station(station_id, heard_at)) and station.site == site_id
    ]


class UnknownSiteError(ProjectionError):
    """No such site was declared."""

    def __init__(self, site_id: str, known: Sequence[str]) -> None:
        self.site_id, self.known = site_id, known
        among = f"; there are {', '.join(sorted(known)[:20])}" if known else ""
        super().__init__(f"there is no site {site_id}{among}")


def leakage(
    connection: Connection[Any],
    declarations: Declarations,
    *,
    first: date,
    last: date,
    stations: Sequence[str] | None = None,
    limit: int,
) -> Leakage:
    """Return what was not billed of the days from *first* to *last*, why, and what it is worth.

    Args:
        connection: To the books, with what came last taken in.
        declarations: With the tariffs.
        first: The first day, in each site's calendar.
        last: The last day.
        stations: Of these alone; None: of all.
        limit: So many rows at most; totals are of all.
    """
    asked = {"first": first, "last": last, "stations": None if stations is None else [*stations]}
    prices = ListPrices(declarations)
    totals: dict[Leak, LeakTotal] = {}
    rows: list[UnbilledEnergy] = []
    count = 0
    for each in _priced(prices, _unbilled(connection, asked)):
        total = totals.get(each.reason)
        if total is None:
            total = totals[each.reason] = LeakTotal(
                reason=each.reason, meaning=MEANINGS[each.reason], values={}
            )
        total.add(each)
        count += 1
        if len(rows) < limit:
            rows.append(each)
    return Leakage(
        first=first,
        last=last,
        reasons=tuple(totals[reason] for reason in Leak if reason in totals),
        rows=tuple(rows),
        rows_left_out=count - len(rows),
    )


_Unbilled = tuple[str, date, Leak, str | None, tuple[str, ...], Decimal, datetime]


def _unbilled(connection: Connection[Any], asked: Mapping[str, object]) -> Iterator[_Unbilled]:
    for (
        station,
        day,
        session_id,
        decided_as,
        state,
        unpaid,
        free,
        late,
        *more,
    ) in connection.execute(_SESSIONS, asked):
        reasons, blockers, began, correction = more
        at = began or datetime.combine(day, time(12), UTC)
        if decided_as is None and unpaid:
            because = tuple(reasons or blockers or ()) if state in ("held", "waiting") else ()
            yield station, day, _LEAK_OF.get(state, Leak.WAITING), session_id, because, unpaid, at
        if decided_as is not None and free:
            why = Leak.GIVEN_BACK if _is_given_back(correction) else Leak.FREE
            yield station, day, why, decided_as, (), free, at
        if decided_as is not None and late:
            yield station, day, Leak.LATE, decided_as, (), late, at
    for station, day, unattributed, dropped, traits in connection.execute(_OTHERS, asked):
        zone = _zone_of(traits)
        noon = datetime.combine(day, time(12), zone)
        if unattributed:
            yield station, day, Leak.UNATTRIBUTED, None, (), unattributed, noon
        if dropped:
            yield station, day, Leak.DROPPED, None, (), dropped, noon


@lru_cache(maxsize=1_000)
def _zone_of(traits: str) -> tzinfo:
    return zone_of(msgspec.json.decode(traits, type=StationTraits).time_zone)


def _is_given_back(correction: bytes | None) -> bool:
    """Whether energy of a session is free because a person said so, by its last correction."""
    decision = None if correction is None else unpack_decision(correction)
    if not isinstance(decision, SessionRated):
        return False
    return decision.not_billed is not None or any(
        line.dimension is Dimension.ENERGY and GIVEN_BACK in line.reasons for line in decision.lines
    )


def _priced(prices: ListPrices, found: Iterable[_Unbilled]) -> Iterator[UnbilledEnergy]:
    for station, day, reason, session_id, because, energy_wh, at in found:
        price: ListPrice = prices.of(station, at.astimezone(UTC))
        value = None
        if price.per_kwh is not None:
            value = EXACT.multiply(price.per_kwh, energy_wh).scaleb(-3, EXACT)
        yield UnbilledEnergy(
            station_id=station,
            day=day,
            reason=reason,
            session_id=session_id,
            because=because,
            energy_wh=energy_wh,
            price_per_kwh=price.per_kwh,
            currency=price.currency,
            value=value,
            no_price=price.why,
        )

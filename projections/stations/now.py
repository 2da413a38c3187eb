"""The fleet as it stands: what is connected, faulted, charging, and how much it draws.

All is counted from rows that are there once a station, connector or running session: what lies
behind them costs nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.users.roles import Reach
from projections.balances.booked_sums import kept_day_balances
from projections.journal.days import book_days
from projections.sessions import SessionSummary, sessions_named
from projections.stations.within import entities_within

UNTOLD: Final = ""
"""The status of a connector whose station told of a fault alone."""
_REVENUE: Final = "revenue:"
_CONNECTED: LiteralString = "SELECT station_id FROM connected_station"
_TOLD: LiteralString = """
SELECT station_id, coalesce(status, ''), count(*),
    count(*) FILTER (WHERE status = 'Faulted' OR error IS NOT NULL)
FROM connector_state WHERE connector_id > 0 GROUP BY 1, 2
"""
_FAULTED: LiteralString = """
SELECT station_id FROM connector_state WHERE status = 'Faulted' OR error IS NOT NULL
UNION SELECT station_id FROM station_problem
"""
# Of a register that stands, or one that was read once, nothing is known of its power.
_RUNNING: LiteralString = """
SELECT station_id, count(*), sum(CASE
    WHEN last_fact_at > started_at AND register_wh > meter_start_wh
    THEN (register_wh - meter_start_wh) * 3600
        / extract(epoch FROM last_fact_at - started_at)
    ELSE 0 END)
FROM unfinished_session WHERE state = 'open' AND state IN ('open', 'waiting') GROUP BY station_id
"""
_OPEN: LiteralString = """
SELECT session_id, station_id, coalesce(started_at, first_fact_at)
FROM unfinished_session WHERE state = 'open' AND state IN ('open', 'waiting')
"""


class SiteNow(NamedTuple):
    """A site: its stations, how many of them are connected, what runs, and the power of that.

    `power_w` is what the running sessions drew on average since they began.
    """

    stations: int
    connected: int
    faulted: int
    running: int
    power_w: Decimal


class StationSets(NamedTuple):
    """Stations of which something holds now, by id."""

    connected: frozenset[str]
    faulted: frozenset[str]
    told: Mapping[str, Mapping[str, int]]
    """By status, how many connectors of which station are in it."""
    faulty_connectors: Mapping[str, int]
    running: Mapping[str, tuple[int, Decimal]]
    """How many sessions run at a station, and their power in W."""

    def in_state(self, state: str) -> frozenset[str]:
        """Return the stations in a state of `STATES`, or with a connector in an OCPP status."""
        match state:
            case "connected":
                return self.connected
            case "faulted":
                return self.faulted
            case "charging":
                return frozenset(self.running)
            case _:
                return frozenset(self.told.get(state, ()))

    def connectors(self, stations: Mapping[str, str]) -> dict[str, int]:
        """Return how many connectors of *stations* are in each status, where there are any."""
        counted = {
            status: sum(count for station, count in each.items() if station in stations)
            for status, each in sorted(self.told.items())
        }
        return {status: count for status, count in counted.items() if count}

    def sites(self, stations: Mapping[str, str]) -> dict[str, SiteNow]:
        """Return how it stands at each site of *stations*."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        powers: dict[str, Decimal] = defaultdict(Decimal)
        for station, site in stations.items():
            running, power_w = self.running.get(station, (0, Decimal(0)))
            counts[site].update(
                stations=1,
                connected=station in self.connected,
                faulted=station in self.faulted,
                running=running,
            )
            powers[site] += power_w
        return {
            site: SiteNow(
                each["stations"],
                each["connected"],
                each["faulted"],
                each["running"],
                powers[site],
            )
            for site, each in sorted(counts.items())
        }


STATES: Final[Sequence[str]] = ("connected", "not_connected", "faulted", "charging")
"""What the list of stations can be cut to, beside the statuses that connectors have."""


def station_sets(connection: Connection[Any]) -> StationSets:
    """Return how it stands with all stations."""
    told: dict[str, dict[str, int]] = defaultdict(dict)
    faulty: Counter[str] = Counter()
    for station, status, count, faults in connection.execute(_TOLD):
        told[status][station] = count
        faulty[station] += faults
    return StationSets(
        connected=frozenset(station for (station,) in connection.execute(_CONNECTED)),
        faulted=frozenset(station for (station,) in connection.execute(_FAULTED)),
        told=told,
        faulty_connectors=+faulty,
        running={
            station: (count, power_w) for station, count, power_w in connection.execute(_RUNNING)
        },
    )


class RunningPage(NamedTuple):
    """Running sessions, the newest first, and how many there are in all."""

    sessions: Sequence[SessionSummary]
    number: int
    next_after: str


def running_sessions(
    connection: Connection[Any],
    stations: Mapping[str, str],
    *,
    limit: int,
    after: str = "",
) -> RunningPage:
    """Return a page of the running sessions at *stations*, behind the session *after*.

    Without their costs (`projections.session_costs`).
    """
    rows = [
        (begun_at, session_id)
        for session_id, station, begun_at in connection.execute(_OPEN)
        if station in stations
    ]
    rows.sort(key=itemgetter(1))
    rows.sort(key=itemgetter(0), reverse=True)
    ids = [session_id for _, session_id in rows]
    # Of one that ended meanwhile, the list begins anew.
    start = ids.index(after) + 1 if after in ids else 0
    shown = ids[start : start + limit]
    more = start + limit < len(ids)
    return RunningPage(sessions_named(connection, shown), len(ids), shown[-1] if more else "")


class DayRevenue(NamedTuple):
    """What was booked as revenue of a legal entity on one of its days: net, in minor units."""

    legal_entity: str
    day: date
    by_account: Mapping[tuple[str, str], int]
    """By currency and account."""

    def sums(self) -> dict[str, int]:
        """Return what it comes to, by currency."""
        found: Counter[str] = Counter()
        for (currency, _), minor in self.by_account.items():
            found[currency] += minor
        return dict(sorted(found.items()))


def booked_revenue(
    connection: Connection[Any],
    declarations: Declarations,
    reach: Reach,
    now: datetime,
    *,
    days: int = 1,
) -> list[DayRevenue]:
    """Return the revenue of the last *days* by the legal entities' own calendars, today's last.

    Of those that *reach* covers whole. Credits and corrections lessen the day they are booked on.
    """
    found = []
    for entity in entities_within(declarations, reach):
        known = book_days(declarations, legal_entity=entity)
        today = known.day_of(entity, now)
        asked = [today - timedelta(days=back) for back in range(days)[::-1]]
        kept = kept_day_balances(connection, entity, known.zones.get(entity, UTC), asked)
        for day, balance in zip(asked, kept, strict=True):
            booked = {
                (each.currency, each.account): each.credit_minor - each.debit_minor
                for each in balance.accounts
                if each.account.startswith(_REVENUE)
            }
            found.append(DayRevenue(entity, day, booked))
    return found

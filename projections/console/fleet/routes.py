"""Fleet now: what is connected, faulted and charging, with the lists behind each number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.users.roles import Permission, Reach
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.listing_file import asked_file, listing_file
from projections.console.fleet.exported import exported
from projections.console.fleet.revenue_page import revenue_sums, revenue_view
from projections.console.fleet.running_list import running_list
from projections.console.fleet.site_list import load_chart, site_list
from projections.console.fleet.station_pages import station_facts, station_list
from projections.console.fleet.words_of_states import state_choices, status_words
from projections.console.listing import Listing
from projections.console.page import ConsolePage, ThisPage
from projections.session_costs import with_costs
from projections.stations.detail import read_station_detail
from projections.stations.now import (
    StationSets,
    booked_revenue,
    running_sessions,
    station_sets,
)
from projections.stations.registered import declared_id, read_stations
from projections.stations.within import common_zone, sites_within, stations_within

SHOWN: Final = 25
"""So many rows a page."""
REVENUE_DAYS: Final = 14
_SEE: Final = needs(Permission.SEE_FLEET)


class _Seen(NamedTuple):
    """What somebody may see of the fleet: sites with name and zone, stations with their site."""

    declared: Declarations
    reach: Reach
    sites: Mapping[str, tuple[str, tzinfo]]
    stations: Mapping[str, str]

    def zones(self) -> Mapping[str, tzinfo]:
        """Return the time zone of each station."""
        return {
            station: self.sites[site][1]
            for station, site in self.stations.items()
            if site in self.sites
        }


class FleetController(Controller):
    """Where everybody sees whether all is well."""

    path = "/fleet"
    include_in_schema = False

    @get("/", opt=_SEE, sync_to_thread=True)
    def now(self, page: ThisPage) -> Response[str]:
        """Show the fleet as it stands."""
        with page.console.reading() as connection:
            seen, sets = _seen(page, connection), station_sets(connection)
            running = running_sessions(connection, seen.stations, limit=SHOWN)
            costing = with_costs(connection, running.sessions, page.console.newest)
            revenue = booked_revenue(connection, seen.declared, seen.reach, page.now)
        sites = sets.sites(seen.stations)
        powers = [each.power_w for each in sites.values()]
        return page.show(
            "fleet/now.html.j2",
            stations=len(seen.stations),
            connected=sum(each.connected for each in sites.values()),
            faulted=sum(each.faulted for each in sites.values()),
            connectors=[
                (status, status_words(page, status), count)
                for status, count in sets.connectors(seen.stations).items()
            ],
            running=running_list(page, costing, seen.zones(), count=running.number),
            running_count=running.number,
            power=page.words.language.number(sum(powers, Decimal(0)).scaleb(-3), digits_max=1),
            chart=load_chart(page, sites, seen.sites),
            sites=site_list(page, sites, seen.sites),
            revenue=revenue_sums(page, revenue),
            zone=common_zone(seen.sites),
        )

    @get("/stations", opt=_SEE, sync_to_thread=True)
    def stations(self, page: ThisPage) -> Response[Any]:
        """List stations: all, of a site, or in a state; or return them as a file."""
        site, state = page.address.of("site"), page.address.of("state")
        after = page.address.of(AFTER)
        with page.console.reading() as connection:
            seen, sets = _seen(page, connection), station_sets(connection)
            wanted = _wanted(seen, sets, site=site, state=state)
            if form := page.address.of(FORMAT):
                return exported(page, wanted, form)
            shown = [each for each in wanted if each > after][: SHOWN + 1]
            found = read_stations(connection, at=page.now, among=shown[:SHOWN], limit=SHOWN)
        in_state = sets.told.get(state, {})
        return page.show(
            "fleet/stations.html.j2",
            listing=station_list(
                page,
                found,
                seen.sites,
                count=len(wanted),
                connectors=sum(in_state.get(each, 0) for each in wanted) if in_state else None,
                next_after=shown[SHOWN - 1] if len(shown) > SHOWN else "",
            ),
            sites=[("", page.text("Any")), *((key, name) for key, (name, _) in seen.sites.items())],
            states=state_choices(page, sets.told),
            site=site,
            state=state,
        )

    @get("/stations/{station_id:str}", opt=_SEE, sync_to_thread=True)
    def station(self, page: ThisPage, station_id: FromPath[str]) -> Response[str]:
        """Show a station: its connectors, what runs there, and what is wrong with it."""
        with page.console.reading() as connection:
            seen = _seen(page, connection)
            known = declared_id(connection, station_id)
            detail = None
            if known in seen.stations:
                detail = read_station_detail(
                    connection, known, at=page.now, newest=page.console.newest
                )
        if detail is None:
            raise NotFoundException(detail=page.text("There is no station {id}.", id=station_id))
        return page.show("fleet/station.html.j2", **station_facts(page, detail, seen.sites))

    @get("/sessions", opt=_SEE, sync_to_thread=True)
    def sessions(self, page: ThisPage) -> Response[Any]:
        """List the sessions that run, with what they cost so far; or return them as a file."""
        site = page.address.of("site")
        if form := page.address.of(FORMAT):
            return listing_file(form, "running-sessions", _running_pages(page, site))
        with page.console.reading() as connection:
            seen = _seen(page, connection)
            listing = _running(page, connection, seen, site, page.address.of(AFTER))
        return page.show(
            "fleet/sessions.html.j2",
            listing=listing,
            sites=[("", page.text("Any")), *((key, name) for key, (name, _) in seen.sites.items())],
            site=site,
        )

    @get("/revenue", opt=_SEE, sync_to_thread=True)
    def revenue(self, page: ThisPage) -> Response[Any]:
        """Show what was booked as revenue today, and on the days before; or return it as a file."""
        with page.console.reading() as connection:
            seen = _seen(page, connection)
            booked = booked_revenue(
                connection, seen.declared, seen.reach, page.now, days=REVENUE_DAYS
            )
        view = revenue_view(page, booked)
        if file := asked_file(page, [view["listing"]]):
            return file
        return page.show("fleet/revenue.html.j2", **view)


ROUTES: Final[Sequence[type[Controller]]] = (FleetController,)


def _seen(page: ConsolePage, connection: Connection[Any]) -> _Seen:
    declared = page.console.newest.of(connection)
    reach = page.user.reach(Permission.SEE_FLEET)
    return _Seen(
        declared,
        reach,
        sites_within(declared, reach, page.now),
        stations_within(declared, reach, page.now),
    )


def _running(
    page: ConsolePage, connection: Connection[Any], seen: _Seen, site: str, after: str
) -> Listing:
    stations = {key: at for key, at in seen.stations.items() if site in {"", at}}
    running = running_sessions(connection, stations, limit=SHOWN, after=after)
    costing = with_costs(connection, running.sessions, page.console.newest)
    return running_list(
        page,
        costing,
        seen.zones(),
        count=running.number,
        next_after=running.next_after,
        exports=True,
    )


def _running_pages(page: ConsolePage, site: str) -> Iterator[Listing]:
    with page.console.exporting() as connection:
        seen, after = _seen(page, connection), ""
        while True:
            listing = _running(page, connection, seen, site, after)
            yield listing
            if not (after := listing.next_after):
                return


def _wanted(seen: _Seen, sets: StationSets, *, site: str, state: str) -> list[str]:
    """Return the stations of a site and in a state, sorted; "": of any."""
    wanted = [key for key, at in seen.stations.items() if site in {"", at}]
    if state == "not_connected":
        return sorted(each for each in wanted if each not in sets.connected)
    if state:
        among = sets.in_state(state)
        wanted = [each for each in wanted if each in among]
    return sorted(wanted)

"""Our sites as Locations for one partner: all but what EVSEs are doing, which changes all the time.

A site without street, city and position is not published, nor a connector of which nobody declared
what it is; each is a note for the partner manager. Source: OCPI 2.3.0, mod_locations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.sites import Site
from ledger.master_data.stations import DeclaredConnector, Plug, Station
from roaming_ocpi.places.audience import Audience
from roaming_ocpi.places.ours.declared_times import DeclaredTimes
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind, to_wire
from roaming_ocpi.wire.ids import connector_id, evse_id, evse_uid, location_id, tariff_id_of
from roaming_ocpi.wire.moments import wire_moment
from tariffs.kernel.priced import Note
from tariffs.model.tariff import Weekday
from tariffs.ocpi.countries import three_letters
from tariffs.ocpi.versions import OcpiVersion

_CAPABILITIES: Final = ("REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE")
"""What every station of ours can be asked; whether one can do more, nobody declares."""
_REFERENCE_MAX: Final = 16
_PLACES: Final = Decimal("0.0000001")
_PLACES_MIN: Final = 5
_MINUTES: Final = "%H:%M"
_MIDNIGHT: Final = "00:00"
_DAY_ENDS: Final = "23:59"


class OurEvse(NamedTuple):
    """An EVSE, all but its status; `number` is the station's own."""

    station_id: str
    number: int
    tree: Tree
    updated_at: datetime
    is_removed: bool


class OurLocation(NamedTuple):
    """A Location, all but its EVSEs; `created` orders them and never changes.

    `forms` has it as versions say it, once somebody asked, `standings` the digest of all that no
    station changes by what it does.
    """

    created: int
    location_id: str
    tree: Tree
    updated_at: datetime
    evses: Sequence[OurEvse]
    forms: dict[OcpiVersion, WireLocation]
    standings: dict[OcpiVersion, bytes]

    def form(self, version: OcpiVersion) -> WireLocation:
        """Return it as *version* says it."""
        if version not in self.forms:
            evses = [each.tree for each in self.evses]
            # Ours are for everybody to see: there is no version that cannot say them at all.
            tree, notes = to_wire(ObjectKind.LOCATION, self.tree | {"evses": evses}, version)
            said = {evse["uid"]: evse for evse in tree.pop("evses")}
            kept = [(each, said[uid]) for each in self.evses if (uid := each.tree["uid"]) in said]
            self.forms[version] = WireLocation(tree, kept, notes)
        return self.forms[version]


class WireLocation(NamedTuple):
    """A Location as a version says it, the EVSEs that it can say, and what it cannot."""

    tree: Tree
    evses: Sequence[tuple[OurEvse, Tree]]
    notes: Sequence[Note]


class OurLocations(NamedTuple):
    """What one partner may see, by `created`, and what is not published of it, and why."""

    locations: Sequence[OurLocation]
    notes: Sequence[Note]


def our_locations(
    declared: Declarations, times: DeclaredTimes, audience: Audience, at: datetime
) -> OurLocations:
    """Return the Locations that *audience* may see at the moment *at*."""
    notes: list[Note] = []
    stations = _stations_by_site(declared, at)
    found = []
    for key, site in audience.sites(declared, at):
        tree = _site_tree(key, site, audience, notes)
        row = declared.in_force(Kind.SITE, key, at)
        seller = declared.in_force(Kind.LEGAL_ENTITY, site.legal_entity, at)
        if tree is None or row is None or seller is None:
            continue
        maker = _EvseMaker(declared, times, audience, key, at, notes)
        evses = [evse for each in stations.get(key, ()) for evse in maker.evses(each)]
        entity = declared.legal_entity(site.legal_entity, at)
        if entity is not None:
            tree["operator"] = {"name": entity.name}
        moments = [times.holds_since(row), times.holds_since(seller)]
        updated_at = max([*moments, *(evse.updated_at for evse in evses)])
        created = declared.history(Kind.SITE, key)
        first = min(each.version for each in created)
        found.append(OurLocation(first, location_id(key), tree, updated_at, evses, {}, {}))
    found.sort(key=lambda each: each.created)
    return OurLocations(found, notes)


class _SeenStation(NamedTuple):
    """A station at its site, and the EVSEs that it once had there; `rows` are its declarations."""

    key: str
    station: Station
    rows: Sequence[Declaration]
    is_removed: bool


def _stations_by_site(declared: Declarations, at: datetime) -> Mapping[str, list[_SeenStation]]:
    """Return stations by where they stand, or, where they were withdrawn, last stood."""
    found: defaultdict[str, list[_SeenStation]] = defaultdict(list)
    for key in declared.keys(Kind.STATION):
        rows = [row for row in declared.history(Kind.STATION, key) if row.valid_from <= at]
        stood = [row.entity for row in rows if isinstance(row.entity, Station)]
        if stood:
            removed = rows[-1].entity is None
            found[stood[-1].site].append(_SeenStation(key, stood[-1], rows, removed))
    return found


class _EvseMaker(NamedTuple):
    """Makes the EVSEs of one site."""

    declared: Declarations
    times: DeclaredTimes
    audience: Audience
    site_id: str
    at: datetime
    notes: list[Note]

    def evses(self, seen: _SeenStation) -> Iterator[OurEvse]:
        """Yield the EVSEs of a station: there is no way to delete one, so old ones are REMOVED."""
        spot = f"stations.{seen.key}"
        tariff, rows = self.audience.tariff_at(self.declared, seen.key, self.site_id, self.at)
        if not seen.station.connectors:
            self._note(
                "no_connectors", "its connectors are not declared: it is not published", spot
            )
        if tariff is None and not seen.is_removed:
            self._note("no_tariff", f"no tariff is assigned to {self.audience.party} there", spot)
        moments = [self.times.holds_since(row) for row in (seen.rows[-1], *rows)]
        ids = [] if tariff is None else [tariff_id_of(tariff.tariff.id)]
        now = {each.evse_id for each in seen.station.connectors}
        for evse, station, is_current in _all_evses(seen, now):
            removed = seen.is_removed or not is_current
            plugs = list(self._plugs(station, evse, ids, max(moments), spot, is_noted=is_current))
            if plugs:
                tree = self._tree(seen.key, evse, plugs)
                yield OurEvse(seen.key, evse, tree, max(moments), removed)

    def _tree(self, station_id: str, evse: int, plugs: list[Tree]) -> Tree:
        tree: Tree = {
            "uid": evse_uid(station_id, evse),
            "evse_id": evse_id(self.audience.our_party, station_id, evse),
            "capabilities": list(_CAPABILITIES),
            "connectors": plugs,
        }
        if len(station_id) <= _REFERENCE_MAX:
            tree["physical_reference"] = station_id
        return tree

    def _plugs(
        self,
        station: Station,
        evse: int,
        tariff_ids: list[str],
        updated_at: datetime,
        spot: str,
        *,
        is_noted: bool,
    ) -> Iterator[Tree]:
        for connector in station.connectors:
            if connector.evse_id != evse:
                continue
            plug = connector.plug or station.plug
            if plug is None:
                if is_noted:
                    message = f"connector {connector.connector_id} of EVSE {evse} has no plug: say"
                    message += " its standard, format, power_type, voltage_v and amperage_a"
                    self._note("plug_unknown", message, spot)
                continue
            yield _plug_tree(connector, plug, station, tariff_ids, updated_at)

    def _note(self, code: str, message: str, spot: str) -> None:
        self.notes.append(Note(code, message, spot))


def _all_evses(seen: _SeenStation, now: set[int]) -> Iterator[tuple[int, Station, bool]]:
    """Yield every EVSE that a station has or had, and the station as it was with it, last."""
    last: dict[int, Station] = {}
    for row in seen.rows:
        if isinstance(row.entity, Station) and row.entity.site == seen.station.site:
            last |= {each.evse_id: row.entity for each in row.entity.connectors}
    for evse in sorted(last):
        yield evse, seen.station if evse in now else last[evse], evse in now


def _plug_tree(
    connector: DeclaredConnector,
    plug: Plug,
    station: Station,
    tariff_ids: list[str],
    updated_at: datetime,
) -> Tree:
    tree: Tree = {
        "id": connector_id(connector.connector_id),
        "standard": plug.standard,
        "format": plug.format.value,
        "power_type": plug.power_type.value,
        "max_voltage": plug.voltage_v,
        "max_amperage": plug.amperage_a,
    }
    power = connector.max_power_w or station.max_power_w
    if power is not None:
        tree["max_electric_power"] = int(power)
    if tariff_ids:
        tree["tariff_ids"] = list(tariff_ids)
    return tree | {"last_updated": wire_moment(updated_at)}


def _site_tree(key: str, site: Site, audience: Audience, notes: list[Note]) -> Tree | None:
    country, address, spot = three_letters(site.country), site.address, f"sites.{key}"
    missing = [
        name
        for name, value in (
            ("address.street", address.street),
            ("address.city", address.city),
            ("latitude and longitude", site.latitude is not None and site.longitude is not None),
            ("country", country),
        )
        if not value
    ]
    if missing or site.latitude is None or site.longitude is None:
        message = f"it is not published: declare {', '.join(missing)}"
        notes.append(Note("site_incomplete", message, spot))
        return None
    ours, party_id = audience.our_party.split("-")
    tree: Tree = {
        "country_code": ours,
        "party_id": party_id,
        "id": location_id(key),
        "publish": True,
        "name": site.name or key,
        "address": address.street,
        "city": address.city,
        "postal_code": address.postal_code or None,
        "country": country,
        "coordinates": {"latitude": degrees(site.latitude), "longitude": degrees(site.longitude)},
        "time_zone": site.time_zone,
        "opening_times": opening_times(site.opening) if site.opening else None,
    }
    return {name: value for name, value in tree.items() if value is not None}


def degrees(value: Decimal) -> str:
    """Return an angle as OCPI writes it: five to seven decimals."""
    rounded = value.quantize(_PLACES, ROUND_HALF_EVEN)
    whole, _, places = f"{rounded:f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(_PLACES_MIN, '0')}"


def opening_times(opening: Iterable[WeeklyHours]) -> Tree:
    """Return weekly hours as OCPI's: each within a day, for what goes on past midnight is two.

    OCPI has no 24:00: what ends at midnight ends at 23:59, as its examples have it.
    """
    periods: set[tuple[int, str, str]] = set()
    for hours in opening:
        begin, end = hours.start.strftime(_MINUTES), hours.end.strftime(_MINUTES)
        for day in [list(Weekday).index(each) + 1 for each in hours.days] or range(1, 8):
            if hours.end > hours.start:
                periods.add((day, begin, end))
                continue
            periods.add((day, begin, _DAY_ENDS))
            if end != _MIDNIGHT:
                periods.add((day % 7 + 1, _MIDNIGHT, end))
    whole = {(day, _MIDNIGHT, _DAY_ENDS) for day in range(1, 8)}
    if whole <= periods:
        return {"twentyfourseven": True}
    regular = [
        {"weekday": day, "period_begin": begin, "period_end": end}
        for day, begin, end in sorted(periods)
        if (day, _MIDNIGHT, _DAY_ENDS) == (day, begin, end)
        or (day, _MIDNIGHT, _DAY_ENDS) not in periods
    ]
    return {"twentyfourseven": False, "regular_hours": regular}

"""The stations that somebody may see, by where they stand now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ledger.declared.declarations import Declarations, Kind
from ledger.users.roles import Reach


def sites_within(
    declarations: Declarations, reach: Reach, at: datetime
) -> Mapping[str, tuple[str, tzinfo]]:
    """Return the sites that *reach* covers, each with its name and its time zone."""
    found = {}
    for key in declarations.keys(Kind.SITE):
        site = declarations.site(key, at)
        if site is not None and reach.covers(site.legal_entity, key):
            found[key] = site.name or key, ZoneInfo(site.time_zone)
    return found


def stations_within(declarations: Declarations, reach: Reach, at: datetime) -> Mapping[str, str]:
    """Return the stations at the sites that *reach* covers, each with its site, by their ids."""
    sites = sites_within(declarations, reach, at)
    found = {}
    for key in declarations.keys(Kind.STATION):
        station = declarations.station(key, at)
        if station is not None and (reach.is_everywhere or station.site in sites):
            found[key] = station.site
    return found


def entities_within(declarations: Declarations, reach: Reach) -> list[str]:
    """Return the legal entities that *reach* covers whole."""
    return [key for key in declarations.keys(Kind.LEGAL_ENTITY) if reach.covers(key)]


def common_zone(sites: Mapping[str, tuple[str, tzinfo]]) -> tzinfo:
    """Return the time zone of all *sites*; UTC where they are in several, or there is none."""
    zones = {str(zone): zone for _, zone in sites.values()}
    return next(iter(zones.values())) if len(zones) == 1 else UTC

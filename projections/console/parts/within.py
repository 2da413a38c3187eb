"""What of the books a person may see or change: cut to the reach of a permission.

Sessions and energy are where their station stood then; documents and money are a legal entity's:
who reaches some of its sites reaches none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.desk.closing.legal_entity import UndeclaredEntityError, calendar_of
from ledger.users.roles import Permission
from projections.console.page import ConsolePage
from projections.finding.stays import Stays, stays_within
from tariffs.zones import zone

SITES_OFFERED: Final = 200
"""So many sites are offered to choose; another one stands in the address."""


class WithinReach(NamedTuple):
    """What is within; `stays` and `legal_entities` None: all of them."""

    declarations: Declarations
    stays: Stays | None
    legal_entities: Sequence[str] | None

    def has_session(self, station_id: str, begun_at: datetime) -> bool:
        """Say whether what was charged at a station then is within."""
        return self.stays is None or self.stays.has(station_id, begun_at)

    def has_books(self, legal_entity: str) -> bool:
        """Say whether what a legal entity issued and booked is within."""
        return self.legal_entities is None or legal_entity in self.legal_entities

    def zone_at(self, station_id: str, at: datetime) -> tzinfo:
        """Return the time zone of the site at which a station stood; UTC where none is known."""
        station = self.declarations.station(station_id, at)
        site = self.declarations.site(station.site, at) if station else None
        return zone(site.time_zone) if site else UTC

    def calendar(self, legal_entity: str) -> tzinfo:
        """Return the time zone of a legal entity's books; UTC where none is known."""
        try:
            return calendar_of(self.declarations, legal_entity)
        except UndeclaredEntityError:
            return UTC

    def sites(self) -> list[str]:
        """Return the sites at which something is within, by their keys."""
        found = sorted(self.declarations.keys(Kind.SITE))
        if self.stays is None:
            return found
        stations = set(self.stays.stations)
        seen = {
            getattr(row.entity, "site", "")
            for station in stations
            for row in self.declarations.history(Kind.STATION, station)
        }
        return [each for each in found if each in seen]

    def offered_sites(self, chosen: str) -> list[str]:
        """Return the sites to choose from: of thousands the first ones, and which is chosen."""
        found = self.sites()
        offered = found[:SITES_OFFERED]
        return [*offered, chosen] if chosen in found[SITES_OFFERED:] else offered


def within(
    page: ConsolePage,
    connection: Connection[Any],
    permission: Permission = Permission.SEE_BOOKS,
    *,
    site: str | None = None,
) -> WithinReach:
    """Return what of the books who asks has a permission for, at *site* alone if one is named."""
    declarations = page.console.newest.of(connection)
    reach = page.user.reach(permission)
    entities = None if reach.is_everywhere else sorted(reach.legal_entities)
    return WithinReach(declarations, stays_within(declarations, reach, site=site), entities)

"""What the pages of tariffs share: what somebody sees, as of when, in which zone, and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.approvals.record import TariffRecord, TariffState
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.drafting.places import places_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.users.roles import Permission, Reach
from projections.console.links import tariff_link
from projections.console.page import ConsolePage
from projections.terms.reach import sees_tariff
from tariffs.phrases.phrase import bounded
from tariffs.zones import instant_of, zone, zone_names

HOME: Final = "/console/tariffs"
ASSIGNMENTS: Final = f"{HOME}/-/assignments"
WAITING: Final = f"{HOME}/-/waiting"
CHANGE: Final = f"{HOME}/-/change"
WHAT_IF: Final = "/console/what-if"
HASH_SHOWN: Final = 12
AS_OF: Final = "as_of"
_MIDNIGHT: Final = time(0)


class SeenTerms(NamedTuple):
    """What is declared, what is on record, and where somebody sees and changes it."""

    known: Declarations
    records: Sequence[TariffRecord]
    reach: Reach

    def sees(self, tariff_id: str) -> bool:
        """Say whether this person sees a tariff."""
        return sees_tariff(tariff_id, known=self.known, reach=self.reach)

    def records_of(self, tariff_id: str) -> Sequence[TariffRecord]:
        """Return the records of a tariff, the newest first."""
        return [each for each in reversed(self.records) if each.tariff_id == tariff_id]

    def waiting(self) -> Sequence[TariffRecord]:
        """Return what waits for a second person, of what this one sees."""
        return [each for each in self.records if each.is_pending and self.sees(each.tariff_id)]


def terms_of(page: ConsolePage, connection: Connection[Any]) -> SeenTerms:
    """Return what who asks for *page* sees."""
    known = page.console.newest.of(connection)
    records = page.console.records.of(page.console.dsn, connection)
    return SeenTerms(known, records, page.user.reach(Permission.SEE_TARIFFS))


def tariff_address(tariff_id: str, **more: str) -> str:
    """Return the address of a tariff; what of *more* is "" is left out."""
    return tariff_link(tariff_id, **{key: value for key, value in more.items() if value})


def change_address(tariff_id: str = "", **more: str) -> str:
    """Return the address of the editor, for a tariff or a new one."""
    return _with(CHANGE, {"id": tariff_id, **more})


def assignments_address(**filters: str) -> str:
    """Return the address of a list of assignments."""
    return _with(ASSIGNMENTS, filters)


def _with(path: str, query: dict[str, str]) -> str:
    text = urlencode([(key, value) for key, value in query.items() if value])
    return f"{path}?{text}" if text else path


def zone_names_of(known: Declarations, assignments: Iterable[Assignment] = ()) -> list[str]:
    """Return the zones of the sites that *assignments* are of; where they name none, of all."""
    named = set[str]()
    for each in assignments:
        site = each.site
        if each.station:
            station = _newest(known, Kind.STATION, each.station)
            site = station.site if isinstance(station, Station) else site
        if site:
            named.add(site)
    places = [_newest(known, Kind.SITE, key) for key in sorted(named) or known.keys(Kind.SITE)]
    found = dict.fromkeys(each.time_zone for each in places if isinstance(each, Site))
    return [*found] or ["UTC"]


def tariff_zone(known: Declarations, tariff_id: str, otherwise: str) -> str:
    """Return the zone of the first site that a tariff was ever assigned to."""
    for _, site_id in sorted(places_of(known, tariff_id).sites):
        site = _newest(known, Kind.SITE, site_id)
        if isinstance(site, Site):
            return site.time_zone
    return otherwise


def country_and_party(
    known: Declarations, assignments: Iterable[Assignment] = ()
) -> tuple[str | None, str]:
    """Return the country of the first site, and by which party partners know its seller."""
    named = sorted({each.site for each in assignments if each.site})
    for key in [*named, *known.keys(Kind.SITE)]:
        site = _newest(known, Kind.SITE, key)
        if isinstance(site, Site):
            seller = _newest(known, Kind.LEGAL_ENTITY, site.legal_entity)
            party = seller.party if isinstance(seller, LegalEntity) else None
            return site.country, party or ""
    return None, ""


def chosen_zone(page: ConsolePage, names: Sequence[str]) -> str:
    """Return the zone that the address says, else the first of *names*."""
    said = page.address.of("zone")
    return said if said in zone_names() else names[0]


def as_of(page: ConsolePage, zone_name: str) -> datetime:
    """Return as of when a page is: the midnight at which the day begins, else now.

    Raises:
        NotFoundException: If what the address says is no day.
    """
    said = page.address.of(AS_OF)
    return page.now if not said else midnight(day_of(said), zone_name)


def day_of(said: str) -> date:
    """Return a day of an address.

    Raises:
        NotFoundException: If it is none that people have.
    """
    try:
        day = date.fromisoformat(said)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2200:  # noqa: PLR2004 - calendars end somewhere
        raise NotFoundException(detail=f"{bounded(said)!r} is no day: write it as 2026-04-01")
    return day


def midnight(day: date, zone_name: str) -> datetime:
    """Return when (UTC) a day begins somewhere."""
    return instant_of(day, _MIDNIGHT, zone(zone_name))


def week_of(said: str, at: datetime, zone_name: str) -> date:
    """Return the Monday of the week of a day that was *said*, else of *at*.

    Raises:
        NotFoundException: If it is no day.
    """
    day = day_of(said) if said else at.astimezone(zone(zone_name)).date()
    return day - timedelta(days=day.weekday())


def approved_by(
    records: Iterable[TariffRecord], sha256: str, valid_from: datetime
) -> TariffRecord | None:
    """Return the record of the declaration of a version from a moment on, None without one."""
    states = {TariffState.APPROVED.value, TariffState.RETIRING.value, TariffState.RETIRED.value}
    fit = (each for each in records if each.sha256 == sha256 and each.state in states)
    return next((each for each in fit if each.holds_from == valid_from.astimezone(UTC)), None)


def same_choices(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return the choices of a field whose values are shown as they are."""
    return [(each, each) for each in sorted(values)]


def _newest(known: Declarations, kind: Kind, key: str) -> object:
    history = known.history(kind, key)
    return history[-1].entity if history else None

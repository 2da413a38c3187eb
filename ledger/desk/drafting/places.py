"""Where a tariff prices sessions: what a person's reach is held against who would change it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.master_data.assignments import Assignment
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.users.roles import Reach


class TariffPlaces(NamedTuple):
    """The sites that assignments of a tariff name, ever, by (legal entity, site).

    `is_anywhere`: one names no place, so that it prices sessions wherever they are.
    """

    sites: frozenset[tuple[str, str]] = frozenset()
    is_anywhere: bool = False

    def are_within(self, reach: Reach) -> bool:
        """Say whether who has *reach* may change the tariff: it prices nothing beyond."""
        if reach.is_everywhere:
            return True
        return not self.is_anywhere and all(reach.covers(*each) for each in self.sites)

    def touch(self, reach: Reach) -> bool:
        """Say whether who has *reach* may see the tariff: it prices something there, or nothing."""
        if reach.is_everywhere or self.is_anywhere or not self.sites:
            return True
        return any(reach.covers(*each) for each in self.sites)


_NOWHERE: Final = TariffPlaces()


def places_of(declarations: Declarations, tariff_id: str) -> TariffPlaces:
    """Return where a tariff prices sessions, did or will; nowhere where no assignment names it."""
    return _by_tariff(declarations).get(tariff_id, _NOWHERE)


@lru_cache(maxsize=2)
def _by_tariff(declarations: Declarations) -> dict[str, TariffPlaces]:
    """Look through all assignments once for each snapshot."""
    found: dict[str, TariffPlaces] = {}
    for key in declarations.keys(Kind.ASSIGNMENT):
        for row in declarations.history(Kind.ASSIGNMENT, key):
            if isinstance(row.entity, Assignment):
                known = found.get(row.entity.tariff, _NOWHERE)
                found[row.entity.tariff] = _with(known, row.entity, declarations)
    return found


def _with(known: TariffPlaces, assignment: Assignment, declarations: Declarations) -> TariffPlaces:
    sites = {assignment.site} if assignment.site else set()
    if assignment.station:
        # It may have been moved: where it ever stood counts.
        history = declarations.history(Kind.STATION, assignment.station)
        sites = {row.entity.site for row in history if isinstance(row.entity, Station)}
    if not (assignment.site or assignment.station):
        return TariffPlaces(known.sites, is_anywhere=True)
    placed = {(_legal_entity(declarations, site), site) for site in sites}
    return TariffPlaces(known.sites | placed, known.is_anywhere)


def _legal_entity(declarations: Declarations, site: str) -> str:
    for row in reversed(declarations.history(Kind.SITE, site)):
        if isinstance(row.entity, Site) and row.valid_from >= BEGINNING:
            return row.entity.legal_entity
    return ""

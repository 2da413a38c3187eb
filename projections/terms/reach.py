"""Which assignments and tariffs somebody sees: those of places within reach, and of no place.

What may be changed is said by `ledger.desk.drafting.places`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.desk.drafting.places import places_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.users.roles import Reach


class TermsInReach(NamedTuple):
    """Keys of assignments and ids of tariffs that were ever declared."""

    assignments: frozenset[str]
    tariffs: frozenset[str]


def terms_in_reach(known: Declarations, reach: Reach) -> TermsInReach | None:
    """Return what somebody with *reach* sees, None where that is everything."""
    return None if reach.is_everywhere else _found(known, reach)


def sees_tariff(tariff_id: str, *, known: Declarations, reach: Reach) -> bool:
    """Say whether somebody with *reach* sees a tariff; one that prices nothing yet all do."""
    return places_of(known, tariff_id).touch(reach)


def may_assign(assignment: Assignment, *, known: Declarations, reach: Reach) -> bool:
    """Say whether an assignment is of a place within *reach*; of no place: only everywhere."""
    if reach.is_everywhere:
        return True
    site_id = assignment.site
    if assignment.station:
        history = known.history(Kind.STATION, assignment.station)
        station = history[-1].entity if history else None
        site_id = station.site if isinstance(station, Station) else None
    if site_id is None:
        return False
    history = known.history(Kind.SITE, site_id)
    site = history[-1].entity if history else None
    return isinstance(site, Site) and reach.covers(site.legal_entity, site_id)


@lru_cache(maxsize=4)
def _found(known: Declarations, reach: Reach) -> TermsInReach:
    """Look through all assignments once for each snapshot."""
    assignments = (
        (key, history[-1].entity)
        for key in known.keys(Kind.ASSIGNMENT)
        if (history := [each for each in known.history(Kind.ASSIGNMENT, key) if each.entity])
    )
    return TermsInReach(
        frozenset(
            key
            for key, each in assignments
            if isinstance(each, Assignment)
            and (not (each.site or each.station) or may_assign(each, known=known, reach=reach))
        ),
        frozenset(
            key for key in known.keys(Kind.TARIFF) if sees_tariff(key, known=known, reach=reach)
        ),
    )

"""Where a tariff prices sessions, and whose that is to decide."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.declared.declarations import Declaration, Declarations, Entity, Kind
from ledger.desk.drafting.places import TariffPlaces, places_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.users.roles import Reach

AT = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Reach(is_everywhere=True)


def site(legal_entity: str) -> Site:
    return Site(time_zone="Europe/Oslo", country="NO", currency="NOK", legal_entity=legal_entity)


def declared(*entities: tuple[Kind, str, Entity | None]) -> Declarations:
    return Declarations(
        Declaration(number, kind, key, AT, entity)
        for number, (kind, key, entity) in enumerate(entities, start=1)
    )


KNOWN = declared(
    (Kind.SITE, "fjord", site("acme")),
    (Kind.SITE, "quay", site("other")),
    (Kind.STATION, "F-1", Station(site="fjord")),
    (Kind.STATION, "F-1", Station(site="quay")),
    (Kind.ASSIGNMENT, "site=fjord", Assignment(tariff="fjord-only", site="fjord")),
    (Kind.ASSIGNMENT, "site=quay", Assignment(tariff="past", site="quay")),
    (Kind.ASSIGNMENT, "site=quay", None),
    (Kind.ASSIGNMENT, "station=F-1", Assignment(tariff="moved", station="F-1")),
    (Kind.ASSIGNMENT, "partner=NL-TNM", Assignment(tariff="wide", partner="NL-TNM")),
)


def test_places_are_those_of_every_assignment_that_ever_named_the_tariff() -> None:
    fjord, quay = ("acme", "fjord"), ("other", "quay")

    assert places_of(KNOWN, "fjord-only") == TariffPlaces(frozenset({fjord}))
    assert places_of(KNOWN, "past") == TariffPlaces(frozenset({quay}))
    assert places_of(KNOWN, "moved") == TariffPlaces(frozenset({fjord, quay}))
    assert places_of(KNOWN, "wide") == TariffPlaces(is_anywhere=True)
    assert places_of(KNOWN, "unassigned") == TariffPlaces()


@pytest.mark.parametrize(
    ("reach", "seen", "changed"),
    [
        (ALL, "fjord-only past moved wide unassigned", "fjord-only past moved wide unassigned"),
        (Reach(False, frozenset({"acme"})), "fjord-only moved wide unassigned",
         "fjord-only unassigned"),
        (Reach(False, sites=frozenset({("other", "quay")})), "past moved wide unassigned",
         "past unassigned"),
        (Reach(False), "wide unassigned", "unassigned"),
    ],
)  # fmt: skip
def test_a_tariff_is_changed_by_who_has_all_its_places(
    reach: Reach, seen: str, changed: str
) -> None:
    tariffs = ("fjord-only", "past", "moved", "wide", "unassigned")
    places = {each: places_of(KNOWN, each) for each in tariffs}

    assert [each for each in tariffs if places[each].touch(reach)] == seen.split()
    assert [each for each in tariffs if places[each].are_within(reach)] == changed.split()

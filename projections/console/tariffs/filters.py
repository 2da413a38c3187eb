"""What the addresses of the lists leave of tariffs and assignments, within somebody's reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.facts.token_uid import canonical_token
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from projections.console.page import ConsolePage
from projections.console.tariffs.terms import SeenTerms, as_of
from projections.terms.held_assignments import SIDES
from projections.terms.reach import terms_in_reach


class TariffFilter(NamedTuple):
    """What `held_tariffs` is asked for."""

    at: datetime
    of: Collection[str] | None
    part: str


class AssignmentFilter(NamedTuple):
    """What `held_assignments` is asked for."""

    at: datetime
    of: Collection[str] | None
    tariff: str
    sides: Mapping[str, str]


def tariff_filter(page: ConsolePage, terms: SeenTerms, zone_name: str) -> TariffFilter:
    """Return the filter of the list of tariffs."""
    within = terms_in_reach(terms.known, terms.reach)
    of = None if within is None else within.tariffs
    return TariffFilter(as_of(page, zone_name), of, page.address.of("q"))


def assignment_filter(
    page: ConsolePage, connection: Connection[Any], terms: SeenTerms, zone_name: str
) -> AssignmentFilter:
    """Return the filter of the list of assignments, a token by its subject id."""
    within = terms_in_reach(terms.known, terms.reach)
    of = None if within is None else within.assignments
    said = {side: page.address.of(side) for side in SIDES if page.address.of(side)}
    token = said.get("token")
    holder = token_holder(canonical_token(token)) if token else None
    if holder is not None:
        subjects = find(connection, [holder])
        said["token"] = next((each.id for each in subjects.values()), str(token))
    return AssignmentFilter(as_of(page, zone_name), of, page.address.of("tariff"), said)

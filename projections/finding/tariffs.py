"""Tariffs as they are declared: which are within a reach, their versions, where they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import TariffVersion
from ledger.users.roles import Reach

_ANYBODYS: Final = "*"


class DeclaredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a tariff, by the hash of what it says; `sha256` null: withdrawn from then on.

    `declared_version` is the number of the declaration, later ones are higher.
    """

    sha256: str | None
    name: str | None
    currency: str | None
    holds_from: datetime
    holds_until: datetime | None
    declared_version: int


class TariffAssigned(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a tariff prices where: the narrowest that fits goes first; persons are subject ids."""

    token: str | None
    token_group: str | None
    partner: str | None
    station: str | None
    site: str | None
    holds_from: datetime


def tariffs_within(declarations: Declarations, reach: Reach) -> tuple[str, ...]:
    """Return the ids of all tariffs that were ever declared, sorted.

    Who reaches some places only: those that are, or were, assigned there, or to no place.
    """
    if reach.is_everywhere:
        return declarations.keys(Kind.TARIFF)
    return _within(declarations, reach)


def versions_of(declarations: Declarations, tariff_id: str) -> list[DeclaredVersion]:
    """Return a tariff's versions by when they hold, the first one first."""
    rows = list(_effective(declarations.history(Kind.TARIFF, tariff_id)))
    ends = [row.valid_from for row in rows[1:]] + [None]
    return [_version(row, until) for row, until in zip(rows, ends, strict=True)]


def tariff_version(
    declarations: Declarations, tariff_id: str, sha256: str | None, at: datetime
) -> TariffVersion | None:
    """Return the version with that hash, or its beginning; None: the one that holds *at*."""
    if sha256 is None:
        return declarations.tariff(tariff_id, at)
    for row in reversed(declarations.history(Kind.TARIFF, tariff_id)):
        if isinstance(row.entity, TariffVersion) and row.entity.sha256.startswith(sha256):
            return row.entity
    return None


def assigned_to(
    declarations: Declarations, tariff_id: str, at: datetime, *, limit: int
) -> list[TariffAssigned]:
    """Return what a tariff is assigned to *at* a moment, *limit* at most."""
    found: list[TariffAssigned] = []
    for key in declarations.keys(Kind.ASSIGNMENT):
        row = declarations.in_force(Kind.ASSIGNMENT, key, at)
        each = row.entity if row else None
        if row is None or not isinstance(each, Assignment) or each.tariff != tariff_id:
            continue
        if len(found) == limit:
            break
        found.append(
            TariffAssigned(
                token=each.token,
                token_group=each.token_group,
                partner=each.partner,
                station=each.station,
                site=each.site,
                holds_from=row.valid_from,
            )
        )
    return found


@lru_cache(maxsize=64)
def _within(declarations: Declarations, reach: Reach) -> tuple[str, ...]:
    found = set()
    for key in declarations.keys(Kind.ASSIGNMENT):
        for row in declarations.history(Kind.ASSIGNMENT, key):
            each = row.entity
            if isinstance(each, Assignment) and any(
                site == _ANYBODYS or _covers(declarations, reach, site)
                for site in _sites(declarations, each)
            ):
                found.add(each.tariff)
    return tuple(sorted(found))


def _sites(declarations: Declarations, assignment: Assignment) -> Iterator[str]:
    if assignment.site is not None:
        yield assignment.site
    elif assignment.station is not None:
        for row in declarations.history(Kind.STATION, assignment.station):
            yield getattr(row.entity, "site", "")
    else:
        yield _ANYBODYS


def _covers(declarations: Declarations, reach: Reach, site: str) -> bool:
    return any(
        reach.covers(getattr(row.entity, "legal_entity", ""), site)
        for row in declarations.history(Kind.SITE, site)
    )


def _effective(rows: Iterable[Declaration]) -> Iterator[Declaration]:
    """Yield of those that hold from the same moment the last one: it is what was meant."""
    last: Declaration | None = None
    for row in rows:
        if last is not None and last.valid_from != row.valid_from:
            yield last
        last = row
    if last is not None:
        yield last


def _version(row: Declaration, until: datetime | None) -> DeclaredVersion:
    version = row.entity if isinstance(row.entity, TariffVersion) else None
    return DeclaredVersion(
        sha256=version.sha256 if version else None,
        name=version.tariff.name if version else None,
        currency=version.tariff.currency if version else None,
        holds_from=row.valid_from,
        holds_until=until,
        declared_version=row.version,
    )

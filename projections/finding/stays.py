"""Which stations a reach covers, and when: each stands at a site, and a site is a legal entity's.

A station that moved is within reach for what was charged while it stood there, and for no more.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final, LiteralString, NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.users.roles import Reach

_ENDLESS: Final = "infinity"
STAYS: LiteralString = """
unnest(%(stations)s::text[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
    AS stay (stands, begins, ends)
"""
"""Stays as rows, asked with `Stays.asked`."""


class Stays(NamedTuple):
    """Stations, and from when until when each of them is meant: three columns of one table."""

    stations: tuple[str, ...]
    begins: tuple[str, ...]
    ends: tuple[str, ...]

    def asked(self) -> dict[str, object]:
        """Return what `STAYS` is asked with."""
        return {each: list(getattr(self, each)) for each in self._fields}

    def has(self, station_id: str, at: datetime) -> bool:
        """Say whether what was at a station at a moment is meant."""
        return any(
            station == station_id
            and datetime.fromisoformat(begins) <= at
            and (ends == _ENDLESS or at < datetime.fromisoformat(ends))
            for station, begins, ends in zip(*self, strict=True)
        )


def stays_within(
    declarations: Declarations, reach: Reach, *, site: str | None = None
) -> Stays | None:
    """Return what of all stations *reach* covers, at *site* alone if one is named; None: all."""
    if reach.is_everywhere and site is None:
        return None
    return _stays(_StationsAndSites(declarations), reach, site)


class _StationsAndSites:
    """What is declared of stations and sites: equal until something of them is, whatever else."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self._states = declarations.state(Kind.STATION), declarations.state(Kind.SITE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _StationsAndSites) and self._states == other._states

    def __hash__(self) -> int:
        return hash(self._states)


@lru_cache(maxsize=64)
def _stays(known: _StationsAndSites, reach: Reach, site: str | None) -> Stays:
    declarations = known.declarations
    found: list[tuple[str, str, str]] = []
    for key in declarations.keys(Kind.STATION):
        covered_since: datetime | None = None
        for at in _changes(declarations, key):
            is_covered = _covers(declarations, reach, site, key, at)
            if is_covered and covered_since is None:
                covered_since = at
            elif not is_covered and covered_since is not None:
                found.append((key, covered_since.isoformat(), at.isoformat()))
                covered_since = None
        if covered_since is not None:
            found.append((key, covered_since.isoformat(), _ENDLESS))
    stations, begins, ends = zip(*found, strict=True) if found else ((), (), ())
    return Stays(tuple(stations), tuple(begins), tuple(ends))


def _changes(declarations: Declarations, station: str) -> list[datetime]:
    """Return when it may have come to stand elsewhere, or where it stands have changed hands."""
    history = declarations.history(Kind.STATION, station)
    sites = {getattr(row.entity, "site", None) for row in history} - {None}
    moments = {row.valid_from for row in history}
    for each in sites:
        moments |= {row.valid_from for row in declarations.history(Kind.SITE, str(each))}
    return sorted(moments)


def _covers(
    declarations: Declarations, reach: Reach, wanted: str | None, station: str, at: datetime
) -> bool:
    stands = declarations.station(station, at)
    if stands is None or wanted not in {None, stands.site}:
        return False
    site = declarations.site(stands.site, at)
    return reach.covers("" if site is None else site.legal_entity, stands.site)

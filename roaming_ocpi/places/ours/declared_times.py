"""When what partners see of us was declared, and when it changes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.master_data.tariff_versions import TariffVersion

SEEN_KINDS: Final = (
    Kind.SITE,
    Kind.STATION,
    Kind.ASSIGNMENT,
    Kind.TARIFF,
    Kind.LEGAL_ENTITY,
    Kind.PARTNER,
)
"""What locations and tariffs are made of."""

NEWER: LiteralString = """
SELECT version, declared_at FROM declaration
WHERE version > %s AND version <= %s AND kind = ANY (%s)
"""


class DeclaredTimes(NamedTuple):
    """When each version of what partners see was declared, up to the version `known`.

    `last` is the last version of these kinds: what is made of them changes with it alone.
    """

    known: int
    last: int
    by_version: Mapping[int, datetime]

    def asked(self, version: int) -> tuple[int, int, list[str]]:
        """Return the parameters of NEWER up to *version*."""
        return self.known, version, [kind.value for kind in SEEN_KINDS]

    def extended(self, version: int, rows: list[tuple[int, datetime]]) -> DeclaredTimes:
        """Return it with what NEWER found up to *version*."""
        if not rows:
            return self._replace(known=version)
        newest = max(each for each, _ in rows)
        return DeclaredTimes(version, newest, {**self.by_version, **dict(rows)})

    def holds_since(self, row: Declaration) -> datetime:
        """Return since when *row* holds, and anybody could know it."""
        declared_at = self.by_version.get(row.version)
        return row.valid_from if declared_at is None else max(row.valid_from, declared_at)


NO_TIMES: Final = DeclaredTimes(0, 0, {})


def declared_times(connection: Connection[Any], declared: Declarations) -> DeclaredTimes:
    """Return the times of *declared*."""
    rows = connection.execute(NEWER, NO_TIMES.asked(declared.version)).fetchall()
    return NO_TIMES.extended(declared.version, rows)


def next_change(declared: Declarations, at: datetime) -> datetime | None:
    """Return when after *at* something that partners see begins or ends to hold by itself."""
    return min((moment for moment in _turns(declared) if moment > at), default=None)


def _turns(declared: Declarations) -> Iterator[datetime]:
    for kind in SEEN_KINDS:
        for key in declared.keys(kind):
            for row in declared.history(kind, key):
                yield row.valid_from
                if isinstance(row.entity, TariffVersion):
                    tariff = row.entity.tariff
                    yield from filter(None, (tariff.start_date_time, tariff.end_date_time))

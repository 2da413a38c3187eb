"""Two lists held against each other, in the database: in any order, of any length, in flat memory.

The partner's list goes into a table of this transaction; what is compared is exact. The tax is
compared and told, and is no difference: between partners it is the settlement's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection, sql

from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import ListedCdr
from roaming_ocpi.settlement.completeness.our_list import OUR_ROWS, ComparedPeriod

_MAKE: LiteralString = """
CREATE TEMP TABLE told_cdr (
    line bigint NOT NULL, issuer text NOT NULL, cdr_key text COLLATE "C" NOT NULL,
    cdr_id text NOT NULL, kind text NOT NULL, credits text, currency text NOT NULL,
    energy_kwh numeric NOT NULL, net numeric NOT NULL, tax numeric, started_at timestamptz,
    ended_at timestamptz NOT NULL
) ON COMMIT DROP
"""
_COPY: LiteralString = """
COPY told_cdr (line, issuer, cdr_key, cdr_id, kind, credits, currency, energy_kwh, net, tax,
    started_at, ended_at) FROM STDIN
"""
# The first of several lines about an id is the one that is compared.
_THEIRS: LiteralString = """
CREATE TEMP TABLE their_cdr ON COMMIT DROP AS
SELECT DISTINCT ON (issuer, cdr_key) * FROM told_cdr ORDER BY issuer, cdr_key, line
"""
_OURS: LiteralString = """
CREATE TEMP TABLE our_cdr ON COMMIT DROP AS
SELECT * FROM ({rows}) AS ours
WHERE (%(only)s::text IS NULL OR issuer = %(only)s)
AND ((ended_at >= %(from)s AND ended_at < %(to)s)
  OR EXISTS (SELECT FROM their_cdr AS theirs
    WHERE theirs.issuer = ours.issuer AND theirs.cdr_key = ours.cdr_key))
"""
_JOIN: LiteralString = """
CREATE TEMP TABLE compared_cdr ON COMMIT DROP AS
SELECT issuer, cdr_key, ours.cdr_id AS our_id, theirs.cdr_id AS their_id,
    ours.currency AS our_currency, theirs.currency AS their_currency,
    ours.energy_kwh AS our_kwh, theirs.energy_kwh AS their_kwh,
    ours.net AS our_net, theirs.net AS their_net,
    ours.ended_at AS our_end, theirs.ended_at AS their_end,
    CASE WHEN theirs.cdr_id IS NULL THEN ARRAY['only_ours']
         WHEN ours.cdr_id IS NULL THEN ARRAY['only_theirs']
         ELSE array_remove(ARRAY[
            CASE WHEN ours.kind <> theirs.kind AND NOT (ours.net < 0 AND theirs.net < 0)
                THEN 'kind' END,
            CASE WHEN lower(ours.credits) <> lower(theirs.credits) THEN 'credits' END,
            CASE WHEN ours.currency <> theirs.currency THEN 'currency' END,
            CASE WHEN CASE WHEN ours.net < 0 AND theirs.net < 0
                THEN abs(ours.energy_kwh) <> abs(theirs.energy_kwh)
                ELSE ours.energy_kwh <> theirs.energy_kwh END THEN 'energy' END,
            CASE WHEN ours.net <> theirs.net THEN 'net' END,
            CASE WHEN date_trunc('second', ours.started_at)
                <> date_trunc('second', theirs.started_at) THEN 'start' END,
            CASE WHEN date_trunc('second', ours.ended_at)
                <> date_trunc('second', theirs.ended_at) THEN 'end' END
         ], NULL) END AS codes,
    ours.tax <> theirs.tax AS is_taxed_otherwise
FROM our_cdr AS ours FULL JOIN their_cdr AS theirs USING (issuer, cdr_key)
WHERE (ours.ended_at >= %(from)s AND ours.ended_at < %(to)s)
   OR (theirs.ended_at >= %(from)s AND theirs.ended_at < %(to)s)
"""
_SUMS: LiteralString = """
SELECT issuer, currency, count(our_kwh), coalesce(sum(our_kwh), 0), coalesce(sum(our_net), 0),
       count(their_kwh), coalesce(sum(their_kwh), 0), coalesce(sum(their_net), 0)
FROM (
    SELECT issuer, our_currency AS currency, our_kwh, our_net,
           NULL::numeric AS their_kwh, NULL::numeric AS their_net
    FROM compared_cdr WHERE our_id IS NOT NULL
    UNION ALL SELECT issuer, their_currency, NULL, NULL, their_kwh, their_net
    FROM compared_cdr WHERE their_id IS NOT NULL
) AS each GROUP BY issuer, currency ORDER BY issuer, currency
"""
_COUNTS: LiteralString = """
SELECT code, count(*) FROM compared_cdr CROSS JOIN unnest(codes) AS code GROUP BY code ORDER BY code
"""
_DIFFERENT: LiteralString = """
SELECT issuer, coalesce(our_id, their_id), codes, our_currency, their_currency, our_kwh, their_kwh,
       our_net, their_net, our_end, their_end
FROM compared_cdr WHERE cardinality(codes) > 0 ORDER BY issuer, cdr_key
LIMIT %(limit)s
"""
_REST: LiteralString = """
SELECT (SELECT count(*) FROM told_cdr) - (SELECT count(*) FROM their_cdr),
       (SELECT count(*) FROM compared_cdr WHERE is_taxed_otherwise),
       (SELECT count(*) FROM compared_cdr WHERE cardinality(codes) > 0),
       (SELECT count(*) FROM their_cdr) - (SELECT count(their_id) FROM compared_cdr)
"""


class ListSum(msgspec.Struct, frozen=True, kw_only=True):
    """What each side has of an issuer's CDRs in a currency."""

    issuer: str
    currency: str
    our_count: int
    our_energy_kwh: Decimal
    our_net: Decimal
    their_count: int
    their_energy_kwh: Decimal
    their_net: Decimal


class CdrDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR that one side lacks ("only_ours", "only_theirs"), or of which both say other things.

    `codes` name what differs: kind, credits, currency, energy, net, start, end.
    """

    issuer: str
    cdr_id: str
    codes: tuple[str, ...]
    our_currency: str | None
    their_currency: str | None
    our_energy_kwh: Decimal | None
    their_energy_kwh: Decimal | None
    our_net: Decimal | None
    their_net: Decimal | None
    our_end: datetime | None
    their_end: datetime | None


class CompletenessReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of comparing two lists.

    `counts`: how many CDRs differ, by code. `repeated`: lines about an id that the file had before.
    `outside`: lines of another period. `taxed_otherwise` is told and is no difference. `unread`:
    lines that nobody can compare, `problems` the first of them.
    """

    sums: tuple[ListSum, ...]
    counts: dict[str, int]
    differences: tuple[CdrDifference, ...]
    different: int
    repeated: int
    outside: int
    taxed_otherwise: int
    unread: int
    problems: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether both have the same CDRs, and say the same of each."""
        return not (self.different or self.repeated or self.unread)


class TheirList:
    """A partner's list while it is taken in."""

    def __init__(self, connection: Connection[Any], period: ComparedPeriod) -> None:
        self._connection, self._period = connection, period
        self._known = {period.party, *period.issuers.values()}
        connection.execute(_MAKE)

    def take(self, lines: Iterable[tuple[int, ListedCdr]], problems: LineProblems) -> None:
        """Take *lines* in, each with its number; may be called again."""
        with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for line, cdr in lines:
                if cdr.issuer not in self._known:
                    problems.add(line, f"issuer {cdr.issuer} is neither of the two parties")
                    continue
                copy.write_row(
                    (
                        line,
                        cdr.issuer,
                        cdr.key,
                        cdr.cdr_id,
                        cdr.kind,
                        cdr.credits,
                        cdr.currency,
                        cdr.energy_kwh,
                        cdr.net,
                        cdr.tax,
                        cdr.started_at,
                        cdr.ended_at,
                    )
                )

    def compared(self, problems: LineProblems, *, limit: int) -> CompletenessReport:
        """Return what differs from ours, at most *limit* differences with their values."""
        connection, asked = self._connection, self._period.asked()
        connection.execute(_THEIRS)
        connection.execute("ANALYZE their_cdr")
        connection.execute(sql.SQL(_OURS).format(rows=sql.SQL(OUR_ROWS)), asked)
        connection.execute("ANALYZE our_cdr")
        connection.execute(_JOIN, asked)
        [(repeated, taxed, different, outside)] = connection.execute(_REST).fetchall()
        differences = connection.execute(_DIFFERENT, {"limit": limit}).fetchall()
        return CompletenessReport(
            sums=tuple(_sum(row) for row in connection.execute(_SUMS)),
            counts=dict(connection.execute(_COUNTS).fetchall()),
            differences=tuple(_difference(row) for row in differences),
            different=different,
            repeated=repeated,
            outside=outside,
            taxed_otherwise=taxed,
            unread=problems.count,
            problems=tuple(problems.shown),
        )


@contextmanager
def their_list(connection: Connection[Any], period: ComparedPeriod) -> Iterator[TheirList]:
    """Yield where a partner's list of *period* is taken in; it is gone afterwards."""
    with connection.transaction(force_rollback=True):
        yield TheirList(connection, period)


def _sum(row: tuple[Any, ...]) -> ListSum:
    return ListSum(**dict(zip(ListSum.__struct_fields__, row, strict=True)))


def _difference(row: tuple[Any, ...]) -> CdrDifference:
    issuer, cdr_id, codes, *rest = row
    values = dict(zip(CdrDifference.__struct_fields__[3:], rest, strict=True))
    return CdrDifference(issuer=issuer, cdr_id=cdr_id, codes=tuple(codes), **values)

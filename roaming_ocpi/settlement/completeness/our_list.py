"""Our side of a period: the CDRs that we made for a partner, and those that we have of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple
from uuid import uuid4

from psycopg import Connection, sql

from ledger.settlements.candidates import TAKES_BACK
from roaming_ocpi.settlement.completeness.listed_cdr import ListedCdr
from tariffs.currencies import CURRENCY_EXPONENTS

_AT_ONCE: Final = 5_000

# A credit is below 0, whichever sign its sender gave it.
OUR_ROWS: LiteralString = (
    """
SELECT entity.issuer, lower(cdr.cdr_id) COLLATE "C" AS cdr_key, cdr.cdr_id, cdr.kind, cdr.credits,
       cdr.session_id AS session_ref, cdr.currency,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.energy_wh::numeric)
           ELSE cdr.energy_wh::numeric END / 1000::numeric AS energy_kwh,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.net_minor) ELSE cdr.net_minor END
           * unit.unit AS net,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.tax_minor) ELSE cdr.tax_minor END
           * unit.unit AS tax,
       cdr.started_at, cdr.ended_at
FROM roaming_cdr AS cdr
JOIN unnest(%(entities)s::text[], %(issuers)s::text[]) AS entity (legal_entity, issuer)
    USING (legal_entity)
JOIN unnest(%(currencies)s::text[], %(units)s::numeric[]) AS unit (currency, unit) USING (currency)
WHERE cdr.party = %(party)s
UNION ALL
SELECT %(party)s, cdr.cdr_key COLLATE "C", cdr.cdr_id, cdr.kind, cdr.credits, cdr.session_ref,
       coalesce(cdr.currency, 'XXX'),
       CASE WHEN """
    + TAKES_BACK
    + """THEN -abs(coalesce(cdr.energy_kwh, 0))
           ELSE coalesce(cdr.energy_kwh, 0) END,
       CASE cdr.kind WHEN 'credit' THEN -abs(coalesce(cdr.net, 0)) ELSE coalesce(cdr.net, 0) END,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.tax) ELSE cdr.tax END,
       cdr.started_at, coalesce(cdr.ended_at, cdr.received_at)
FROM partner_cdr AS cdr WHERE cdr.party = %(party)s
"""
)
_LIST: LiteralString = """
SELECT issuer, cdr_id, kind, credits, session_ref, currency, energy_kwh, net, tax, started_at,
    ended_at
FROM ({rows}) AS ours WHERE ended_at >= %(from)s AND ended_at < %(to)s
  AND (%(only)s::text IS NULL OR issuer = %(only)s)
ORDER BY issuer, cdr_key
"""


class ComparedPeriod(NamedTuple):
    """With whom, and from which end of a session to which (that one not included).

    `issuers` are the parties that our legal entities are to partners. `only`: the CDRs of that
    issuer alone.
    """

    party: str
    starts_at: datetime
    ends_at: datetime
    issuers: Mapping[str, str]
    only: str | None = None

    def asked(self) -> dict[str, object]:
        """Return what the queries are given."""
        return {
            "party": self.party,
            "from": self.starts_at,
            "to": self.ends_at,
            "entities": list(self.issuers),
            "issuers": list(self.issuers.values()),
            "currencies": list(CURRENCY_EXPONENTS),
            "units": [f"1e-{each}" for each in CURRENCY_EXPONENTS.values()],
            "only": self.only,
        }


def our_list(connection: Connection[Any], period: ComparedPeriod) -> Iterator[ListedCdr]:
    """Yield our side of *period*, by issuer and id, in flat memory."""
    query = sql.SQL(_LIST).format(rows=sql.SQL(OUR_ROWS))
    with (
        connection.transaction(),
        closing(connection.cursor(name=f"our_list_{uuid4().hex}")) as cursor,
    ):
        cursor.itersize = _AT_ONCE
        cursor.execute(query, period.asked())
        for row in cursor:
            yield ListedCdr(*row)

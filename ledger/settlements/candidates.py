"""What there is to settle with a partner: its CDRs and ours that stand in no settlement yet.

What came late is not lost: a settlement takes everything up to the end of its month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple
from uuid import uuid4

from psycopg import Connection, sql

from ledger.settlements.statement import CdrSide, SettledCdr, SettledKind
from tariffs.currencies import currency_exponent
from tariffs.ocpi.countries import two_letters
from tariffs.quantities import EXACT

_AT_ONCE: Final = 2_000

TAKES_BACK: LiteralString = """
(cdr.kind = 'credit'
 OR cdr.net < 0 AND cdr.version = '2.1.1' AND coalesce(cdr.repriced_net, 0) >= 0)
"""
"""Whether a row of `partner_cdr` takes another back, and its energy with it.

What else is below 0 was sold at a price that pays the driver; of OCPI 2.1.1, which has no credits,
only where its tariff says so.
"""
# A credit is below 0, whichever sign its sender gave it. The first CDR that a partner gets of a
# session may be of a later revision: it corrects nothing there, and was told.
_SENT: LiteralString = """
SELECT 'sent' AS side, cdr.party, lower(cdr.cdr_id) COLLATE "C" AS cdr_key, cdr.cdr_id, cdr.kind,
       cdr.credits, cdr.session_id AS session_ref, cdr.ended_at,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.net_minor) ELSE cdr.net_minor END
           * %(unit)s::numeric AS net,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.tax_minor) ELSE cdr.tax_minor END
           * %(unit)s::numeric AS tax,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.energy_wh::numeric)
           ELSE cdr.energy_wh::numeric END AS energy_wh,
       cdr.billing_month < %(month)s AS is_earlier,
       CASE WHEN %(by_statement)s::boolean THEN cdr.kind = 'credit' OR (
           cdr.revision > 1 AND convert_from(cdr.body, 'UTF8')::json ->> 'replaces' IS NOT NULL
       ) ELSE false END AS is_correction,
       CASE WHEN %(by_country)s::boolean
           THEN convert_from(cdr.body, 'UTF8')::json #>> '{place,country}' END AS country,
       coalesce(contested.is_contested, false) AS is_disputed
FROM roaming_cdr AS cdr
LEFT JOIN (
    SELECT DISTINCT ON (cdr_key) cdr_key, is_contested FROM contested_cdr
    WHERE party = %(party)s ORDER BY cdr_key, number DESC
) AS contested ON contested.cdr_key = lower(cdr.cdr_id)
WHERE cdr.party = %(party)s AND cdr.legal_entity = %(legal_entity)s
  AND cdr.currency = %(currency)s AND cdr.billing_month <= %(month)s
  AND NOT EXISTS (
    SELECT FROM settled_cdr AS settled WHERE settled.side = 'sent'
    AND settled.party = cdr.party AND settled.cdr_key = lower(cdr.cdr_id)
  )
"""
_RECEIVED: LiteralString = (
    """
SELECT 'received' AS side, cdr.party, cdr.cdr_key, cdr.cdr_id, cdr.kind, cdr.credits,
       cdr.session_ref, coalesce(cdr.ended_at, cdr.received_at) AS ended_at,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.net) ELSE coalesce(cdr.net, 0) END AS net,
       CASE cdr.kind WHEN 'credit' THEN -abs(cdr.tax) ELSE cdr.tax END AS tax,
       CASE WHEN """  # noqa: S608 - of words that stand here
    + TAKES_BACK
    + """THEN -abs(coalesce(cdr.energy_kwh, 0)) * 1000
           ELSE coalesce(cdr.energy_kwh, 0) * 1000 END AS energy_wh,
       coalesce(cdr.ended_at, cdr.received_at) < %(begins)s AS is_earlier,
       false AS is_correction, came.country,
       cdr.verdict = 'disputed' OR cdr.net IS NULL AS is_disputed
FROM partner_cdr AS cdr
LEFT JOIN LATERAL (
    SELECT coalesce(body::json #>> '{cdr_location,country}', body::json #>> '{location,country}')
        AS country
    FROM received_cdr AS told WHERE told.party = cdr.party AND told.cdr_key = cdr.cdr_key
      AND (told.partition, told.position, told.line) = (cdr.partition, cdr.position, cdr.line)
    LIMIT 1
) AS came ON %(by_country)s::boolean
WHERE cdr.party = %(party)s AND cdr.currency = %(currency)s
  AND %(legal_entity)s = %(contract)s
  AND coalesce(cdr.ended_at, cdr.received_at) < %(ends)s
  AND NOT EXISTS (
    SELECT FROM settled_cdr AS settled WHERE settled.side = 'received'
    AND settled.party = cdr.party AND settled.cdr_key = cdr.cdr_key
  )
"""
)
_OF_SIDE: Final[dict[CdrSide, LiteralString]] = {CdrSide.SENT: _SENT, CdrSide.RECEIVED: _RECEIVED}
# Gathered first, both sides at one moment: what is added is what was reckoned from.
_GATHER: LiteralString = """
CREATE TEMP TABLE settling ON COMMIT DROP AS SELECT * FROM ({sent}) AS ours
UNION ALL SELECT * FROM ({received}) AS theirs
"""
_GATHERED: LiteralString = """
SELECT cdr_key, cdr_id, kind, credits, session_ref, ended_at, net, tax, energy_wh, is_earlier,
    is_correction, country, is_disputed
FROM settling WHERE side = %s ORDER BY cdr_key
"""
_SETTLE: LiteralString = """
INSERT INTO settled_cdr (number, party, side, cdr_key, cdr_id, kind, credits, session_ref, ended_at,
    net, tax, energy_wh, is_earlier, is_correction, country)
SELECT %(number)s, party, side, cdr_key, cdr_id, kind, credits, session_ref, ended_at,
    net, tax, energy_wh, is_earlier, is_correction, country
FROM settling WHERE NOT cdr_id = ANY (CASE side WHEN 'sent' THEN %(sent)s::text[]
    ELSE %(received)s::text[] END)
"""
_SETTLED: LiteralString = """
SELECT cdr_key, cdr_id, kind, credits, session_ref, ended_at, net, tax, energy_wh, is_earlier,
    is_correction, country
FROM settled_cdr WHERE number = %(number)s AND side = %(side)s ORDER BY cdr_key
"""
_GROUPS: LiteralString = """
SELECT legal_entity, currency FROM roaming_cdr AS cdr
WHERE party = %(party)s AND billing_month <= %(month)s AND NOT EXISTS (
    SELECT FROM settled_cdr AS settled WHERE settled.side = 'sent'
    AND settled.party = cdr.party AND settled.cdr_key = lower(cdr.cdr_id)
)
UNION SELECT %(contract)s, currency FROM partner_cdr AS cdr
WHERE party = %(party)s AND currency IS NOT NULL
  AND coalesce(ended_at, received_at) < %(ends)s AND NOT EXISTS (
    SELECT FROM settled_cdr AS settled WHERE settled.side = 'received'
    AND settled.party = cdr.party AND settled.cdr_key = cdr.cdr_key
)
UNION SELECT legal_entity, currency FROM partner_settlement
WHERE party = %(party)s AND month = %(month)s
ORDER BY 1, 2
"""


class SettlementScope(NamedTuple):
    """With whom, for which month of whose calendar, in which currency.

    `begins_at` and `ends_at` bound the month. `contract` is our legal entity that has the contract:
    it owes the partner's CDRs, whichever of ours sold what the partner owes. `by_statement`: what
    is corrected goes to the partner by the settlement alone (`OldCorrections.STATEMENT`).
    `by_country`: VAT hangs on where each CDR charged.
    """

    party: str
    legal_entity: str
    month: str
    begins_at: datetime
    ends_at: datetime
    contract: str
    currency: str = ""
    by_statement: bool = False
    by_country: bool = False

    def asked(self) -> dict[str, object]:
        """Return what the queries are given."""
        unit = Decimal(1).scaleb(-currency_exponent(self.currency), EXACT)
        return {
            **self._asked_of_groups(),
            "unit": unit,
            "by_statement": self.by_statement,
            "by_country": self.by_country,
        }

    def _asked_of_groups(self) -> dict[str, object]:
        return {
            "party": self.party,
            "legal_entity": self.legal_entity,
            "contract": self.contract,
            "month": self.month,
            "begins": self.begins_at,
            "ends": self.ends_at,
            "currency": self.currency,
        }

    def groups(self, connection: Connection[Any]) -> list[tuple[str, str]]:
        """Return each legal entity and currency in which there is anything to settle, or was."""
        rows = connection.execute(_GROUPS, self._asked_of_groups()).fetchall()
        return [(entity, currency) for entity, currency in rows]


def candidates(
    connection: Connection[Any], scope: SettlementScope, side: CdrSide
) -> Iterator[SettledCdr]:
    """Yield what of one side is in no settlement yet, in the order of ids, in flat memory."""
    asked = scope.asked()
    with (
        connection.transaction(),
        closing(connection.cursor(name=f"candidates_{uuid4().hex}")) as cursor,
    ):
        cursor.itersize = _AT_ONCE
        cursor.execute(_OF_SIDE[side] + " ORDER BY cdr_key", asked)
        for _, _, *row, is_disputed in cursor:
            yield _cdr(side, row, is_disputed=is_disputed)


def gather(connection: Connection[Any], scope: SettlementScope) -> None:
    """Gather what of both sides is in no settlement yet, as it is at one moment.

    It is there until the caller's transaction ends: verdicts that move meanwhile do not move it.
    """
    query = sql.SQL(_GATHER).format(sent=sql.SQL(_SENT), received=sql.SQL(_RECEIVED))
    connection.execute(query, scope.asked())


def gathered(connection: Connection[Any], side: CdrSide) -> Iterator[SettledCdr]:
    """Yield what was gathered of one side, as `candidates` yields it."""
    with closing(connection.cursor(name=f"gathered_{uuid4().hex}")) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_GATHERED, (side.value,))
        for *row, is_disputed in cursor:
            yield _cdr(side, row, is_disputed=is_disputed)


def settle_gathered(
    connection: Connection[Any], number: str, excluded: Sequence[tuple[CdrSide, str]]
) -> None:
    """Let what was gathered, but the *excluded* ids, stand in settlement *number*.

    The database refuses a CDR that stands in another one.
    """
    ids = {side: [cdr_id for of, cdr_id in excluded if of is side] for side in CdrSide}
    asked = {"number": number, "sent": ids[CdrSide.SENT], "received": ids[CdrSide.RECEIVED]}
    connection.execute(_SETTLE, asked)
    connection.execute("DROP TABLE settling")


def settled_cdrs(connection: Connection[Any], number: str, side: CdrSide) -> Iterator[SettledCdr]:
    """Yield what stands in settlement *number* of one side, in the order of ids."""
    with (
        connection.transaction(),
        closing(connection.cursor(name=f"settled_{uuid4().hex}")) as cursor,
    ):
        cursor.itersize = _AT_ONCE
        cursor.execute(_SETTLED, {"number": number, "side": side.value})
        for row in cursor:
            yield _cdr(side, row)


def _cdr(side: CdrSide, row: Sequence[Any], *, is_disputed: bool = False) -> SettledCdr:
    *told, earlier, correction, country = row
    key, cdr_id, kind, credits_, session_ref, ended_at, net, tax, energy = told
    return SettledCdr(
        side,
        key,
        cdr_id,
        SettledKind(kind),
        credits_,
        session_ref,
        ended_at,
        net,
        tax,
        energy,
        is_earlier=earlier,
        is_correction=correction,
        is_disputed=is_disputed,
        country=None if country is None else two_letters(country),
    )

"""A partner's invoice held against the CDRs that we have of it, line by line.

The lines go into a table of this transaction: they may be as many as they like, in any order. What
an invoice of a month may ask for is what was settled for that month, or, before that, every CDR up
to its end that stands in no settlement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import Connection, sql

from ledger.settlements.candidates import TAKES_BACK
from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import (
    cdr_id_in,
    currency_in,
    number_in,
    optional,
)
from tariffs.quantities import EXACT, Money, money_of_minor, round_money

_MAKE: LiteralString = """
CREATE TEMP TABLE invoiced_line (
    line bigint NOT NULL, cdr_key text COLLATE "C" NOT NULL, cdr_id text NOT NULL, currency text,
    energy_kwh numeric, net numeric, tax numeric, gross numeric
) ON COMMIT DROP
"""
_COPY: LiteralString = """
COPY invoiced_line (line, cdr_key, cdr_id, currency, energy_kwh, net, tax, gross) FROM STDIN
"""
# A credit is below 0, whichever sign its sender gave it.
_COMPARE: LiteralString = """
CREATE TEMP TABLE held_against ON COMMIT DROP AS
WITH known AS (
    SELECT cdr.cdr_key COLLATE "C" AS cdr_key, cdr.cdr_id, cdr.currency, cdr.verdict, cdr.kind,
        CASE cdr.kind WHEN 'credit' THEN -abs(cdr.net) ELSE cdr.net END AS net,
        CASE cdr.kind WHEN 'credit' THEN -abs(cdr.tax) ELSE cdr.tax END AS tax,
        CASE WHEN {takes_back} THEN -abs(cdr.energy_kwh)
            ELSE cdr.energy_kwh END AS energy_kwh,
        settled.month AS settled_in,
        coalesce(settled.month = %(month)s,
            coalesce(cdr.ended_at, cdr.received_at) < %(ends)s AND NOT EXISTS (
                SELECT FROM partner_settlement AS agreed WHERE agreed.party = %(party)s
                AND agreed.month = %(month)s AND agreed.currency = cdr.currency
                AND agreed.legal_entity = %(contract)s
            )) AS is_due
    FROM partner_cdr AS cdr
    LEFT JOIN (
        SELECT cdr_key, month FROM settled_cdr JOIN partner_settlement USING (number)
        WHERE side = 'received' AND settled_cdr.party = %(party)s
    ) AS settled USING (cdr_key)
    WHERE cdr.party = %(party)s
), invoiced AS (
    SELECT DISTINCT ON (cdr_key) *, count(*) OVER (PARTITION BY cdr_key) AS times
    FROM invoiced_line ORDER BY cdr_key, line
)
SELECT invoiced.line, coalesce(invoiced.cdr_id, known.cdr_id) AS cdr_id, cdr_key,
    invoiced.net AS invoiced_net, known.net AS our_net,
    invoiced.tax AS invoiced_tax, known.tax AS our_tax, invoiced.gross AS invoiced_gross,
    invoiced.energy_kwh AS invoiced_kwh, known.energy_kwh AS our_kwh,
    coalesce(known.currency, invoiced.currency) AS currency,
    array_remove(ARRAY[
        CASE WHEN known.cdr_id IS NULL THEN 'unknown' END,
        CASE WHEN invoiced.line IS NULL THEN 'missing' END,
        CASE WHEN invoiced.times > 1 THEN 'repeated' END,
        CASE WHEN invoiced.line IS NOT NULL AND known.verdict = 'disputed' THEN 'disputed' END,
        CASE WHEN invoiced.line IS NOT NULL AND known.settled_in <> %(month)s
            THEN 'settled_otherwise' END,
        CASE WHEN invoiced.line IS NOT NULL AND known.settled_in IS NULL AND NOT known.is_due
            THEN 'not_of_this_month' END,
        CASE WHEN invoiced.currency <> known.currency THEN 'currency' END,
        CASE WHEN CASE known.kind WHEN 'credit' THEN -abs(invoiced.energy_kwh)
            ELSE invoiced.energy_kwh END <> known.energy_kwh THEN 'energy' END,
        CASE WHEN CASE known.kind WHEN 'credit' THEN -abs(invoiced.net) ELSE invoiced.net END
            <> known.net OR (invoiced.line IS NOT NULL AND known.cdr_id IS NOT NULL
                AND known.net IS NULL) THEN 'net' END,
        CASE WHEN CASE known.kind WHEN 'credit' THEN -abs(invoiced.tax) ELSE invoiced.tax END
            <> known.tax THEN 'tax' END,
        CASE WHEN CASE known.kind WHEN 'credit' THEN -abs(invoiced.gross) ELSE invoiced.gross END
            <> known.net + known.tax OR abs(invoiced.gross) <> abs(invoiced.net + invoiced.tax)
            THEN 'gross' END
    ], NULL) AS codes
FROM invoiced FULL JOIN known USING (cdr_key)
WHERE invoiced.line IS NOT NULL
   OR (known.is_due AND known.verdict <> 'disputed' AND known.currency = %(currency)s)
"""
_COUNTS: LiteralString = """
SELECT code, count(*) FROM held_against CROSS JOIN unnest(codes) AS code GROUP BY code ORDER BY code
"""
_FOUND: LiteralString = """
SELECT line, cdr_id, codes, currency, invoiced_net, our_net, invoiced_kwh, our_kwh,
    invoiced_tax, our_tax, invoiced_gross
FROM held_against WHERE cardinality(codes) > 0 ORDER BY line NULLS LAST, cdr_key LIMIT %(limit)s
"""
# What we would pay: a CDR that is known, due now, not disputed, once; as it says itself.
_SUMS: LiteralString = """
SELECT (SELECT count(*) FROM invoiced_line), (SELECT coalesce(sum(net), 0) FROM invoiced_line),
    coalesce(sum(our_net) FILTER (WHERE line IS NOT NULL AND NOT codes && ARRAY[
        'unknown', 'disputed', 'settled_otherwise', 'not_of_this_month', 'currency'
    ]), 0),
    coalesce(sum(our_net) FILTER (WHERE line IS NULL), 0),
    count(*) FILTER (WHERE cardinality(codes) > 0),
    (SELECT sum(tax) FROM invoiced_line), (SELECT sum(gross) FROM invoiced_line),
    sum(our_tax) FILTER (WHERE line IS NOT NULL AND NOT codes && ARRAY[
        'unknown', 'disputed', 'settled_otherwise', 'not_of_this_month', 'currency'
    ]),
    count(*) FILTER (WHERE coalesce(invoiced_tax, invoiced_gross) IS NOT NULL AND our_tax IS NULL
        AND our_net IS NOT NULL)
FROM held_against
"""


class InvoicedCdr(NamedTuple):
    """What an invoice says of a CDR; None: nothing."""

    cdr_id: str
    currency: str | None = None
    energy_kwh: Decimal | None = None
    net: Decimal | None = None
    tax: Decimal | None = None
    gross: Decimal | None = None


class InvoicedMonth(NamedTuple):
    """Whose invoice it is, for which month of our legal entity's calendar, in which currency.

    `contract` is our legal entity that owes it; what others of ours settled of the month says
    nothing of it. `total_net`: what the invoice asks for in all, before taxes; None: it is not
    compared.
    """

    party: str
    month: str
    ends_at: datetime
    currency: str
    contract: str
    total_net: Decimal | None = None

    def is_total(self, payable_net: Decimal) -> bool | None:
        """Whether it asks for *payable_net*, exact or rounded once, as a settlement rounds it."""
        if self.total_net is None:
            return None
        minor = round_money(Money(payable_net, self.currency))
        rounded = money_of_minor(minor, self.currency)
        return self.total_net in (payable_net, rounded.amount)


class InvoiceFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is not as it should be, or (`line` None) a CDR that is missing.

    `codes`: unknown, missing, repeated, disputed, settled_otherwise (in another month),
    not_of_this_month, currency, energy, net, tax, gross (not the CDR's with its tax, or not what
    the line's own net and tax add up to).
    """

    line: int | None
    cdr_id: str
    codes: tuple[str, ...]
    currency: str | None
    invoiced_net: Decimal | None
    our_net: Decimal | None
    invoiced_energy_kwh: Decimal | None
    our_energy_kwh: Decimal | None
    invoiced_tax: Decimal | None
    our_tax: Decimal | None
    invoiced_gross: Decimal | None


class InvoiceReconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of holding an invoice against our CDRs.

    `invoiced_net` is what its lines add up to, `payable_net` what we would pay of them,
    `missing_net` what it could ask for besides. `invoiced_tax` and `invoiced_gross` are of the
    lines that say them, `payable_tax` is what the CDRs say that we would pay; None: none does. Of
    `untaxed` lines the tax is compared with nothing: their CDRs say none. `is_total_right`: what
    it asks for in all is what we would pay, to the minor unit (None: it was not said).
    """

    lines: int
    invoiced_net: Decimal
    payable_net: Decimal
    missing_net: Decimal
    is_total_right: bool | None
    counts: dict[str, int]
    findings: tuple[InvoiceFinding, ...]
    found: int
    invoiced_tax: Decimal | None
    invoiced_gross: Decimal | None
    payable_tax: Decimal | None
    untaxed: int
    unread: int
    problems: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether each line is as our CDRs are, and none is missing."""
        return not (self.found or self.unread) and self.is_total_right is not False


def invoice_line(said: Mapping[str, Any]) -> InvoicedCdr:
    """Return what a line of an invoice *said*: its CDR, its net, and the rest if it does.

    Where it says gross and tax alone, its net is what is left.

    Raises:
        UnfitRowError: If something is missing, or cannot be.
    """
    tax, gross = optional(said, "tax", number_in), optional(said, "gross", number_in)
    net = optional(said, "net", number_in)
    if net is None:
        net = number_in(said, "net") if None in (tax, gross) else EXACT.subtract(gross, tax)
    return InvoicedCdr(
        cdr_id=cdr_id_in(said),
        currency=optional(said, "currency", lambda values, _: currency_in(values)),
        energy_kwh=optional(said, "energy_kwh", number_in),
        net=net,
        tax=tax,
        gross=gross,
    )


def reconcile(
    connection: Connection[Any],
    invoiced: InvoicedMonth,
    lines: Iterable[tuple[int, InvoicedCdr]],
    problems: LineProblems,
    *,
    limit: int,
) -> InvoiceReconciliation:
    """Hold *lines*, each with its number, against our CDRs; at most *limit* findings are told."""
    asked = {
        "party": invoiced.party,
        "month": invoiced.month,
        "ends": invoiced.ends_at,
        "currency": invoiced.currency,
        "contract": invoiced.contract,
        "limit": limit,
    }
    with connection.transaction(force_rollback=True):
        connection.execute(_MAKE)
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for number, (cdr_id, currency, *numbers) in lines:
                said = currency or invoiced.currency
                copy.write_row((number, cdr_id.casefold(), cdr_id, said, *numbers))
        connection.execute("ANALYZE invoiced_line")
        connection.execute(sql.SQL(_COMPARE).format(takes_back=sql.SQL(TAKES_BACK)), asked)
        [(count, net_sum, payable, missing, found, *taxed)] = connection.execute(_SUMS).fetchall()
        tax_sum, gross_sum, payable_tax, untaxed = taxed
        return InvoiceReconciliation(
            lines=count,
            invoiced_net=net_sum,
            payable_net=payable,
            missing_net=missing,
            is_total_right=invoiced.is_total(payable),
            counts=dict(connection.execute(_COUNTS).fetchall()),
            findings=tuple(_finding(row) for row in connection.execute(_FOUND, asked)),
            found=found,
            invoiced_tax=tax_sum,
            invoiced_gross=gross_sum,
            payable_tax=payable_tax,
            untaxed=untaxed,
            unread=problems.count,
            problems=tuple(problems.shown),
        )


def _finding(row: tuple[Any, ...]) -> InvoiceFinding:
    line, cdr_id, codes, *rest = row
    values = dict(zip(InvoiceFinding.__struct_fields__[3:], rest, strict=True))
    return InvoiceFinding(line=line, cdr_id=cdr_id, codes=tuple(codes), **values)

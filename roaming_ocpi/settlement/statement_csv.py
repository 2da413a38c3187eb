"""A settlement as CSV: a row for each CDR, then one for each line and sum; amounts are exact."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from ledger.settlements.netting import side_of
from ledger.settlements.statement import CdrSide, SettledCdr, Settlement
from roaming_ocpi.settlement.completeness.listed_cdr import moment_text
from tariffs.currencies import currency_exponent
from tariffs.phrases.printable import csv_text
from tariffs.quantities import EXACT, minor_text, plain

STATEMENT_COLUMNS: Final = (
    "row",
    "side",
    "what",
    "cdr_id",
    "credits",
    "session_ref",
    "ended_at",
    "count",
    "energy_kwh",
    "net",
    "tax",
    "gross",
    "currency",
)


def statement_csv(settlement: Settlement, cdrs: Iterable[SettledCdr]) -> Iterator[str]:
    """Yield the lines of *settlement* over *cdrs*: cdr, excluded, line, vat, total, due."""
    currency = settlement.terms.currency
    yield _line(STATEMENT_COLUMNS)
    left_out = {(each.side, each.cdr_id) for each in settlement.excluded}
    for cdr in cdrs:
        row = "excluded" if (cdr.side, cdr.cdr_id) in left_out else "cdr"
        names = (cdr.cdr_id, cdr.credits or "", cdr.session_ref or "")
        yield _line(
            (
                *(row, cdr.side.value, cdr.kind.value, *map(csv_text, names)),
                *(moment_text(cdr.ended_at), "1", _kwh(cdr.energy_wh), _text(cdr.net)),
                *("" if cdr.tax is None else _text(cdr.tax), "", currency),
            )
        )
    exponent = currency_exponent(currency)
    for side in CdrSide:
        total = side_of(settlement, side)
        for each in total.lines:
            gross = EXACT.add(each.net, each.tax)
            yield _line(
                (
                    *("line", side.value, each.code.value, "", "", "", "", str(each.count)),
                    *(_kwh(each.energy_wh), _text(each.net), _text(each.tax), _text(gross)),
                    currency,
                )
            )
        for tax in total.taxes or ():
            rate = "none" if tax.percent is None else _text(tax.percent)
            minors = (tax.net_minor, tax.tax_minor, tax.net_minor + tax.tax_minor)
            yield _line(
                (
                    *("vat", side.value, f"{tax.country}:{rate}", "", "", "", "", str(tax.count)),
                    *("", *(minor_text(each, exponent) for each in minors), currency),
                )
            )
        sums = (total.net_minor, total.tax_minor, total.gross_minor)
        yield _line(
            (
                *("total", side.value, "total", "", "", "", "", str(total.count)),
                *(_kwh(total.energy_wh), *(minor_text(each, exponent) for each in sums)),
                currency,
            )
        )
    due = minor_text(settlement.due_minor, exponent)
    yield _line(("due", "", "due", "", "", "", "", "", "", "", "", due, currency))


def _kwh(energy_wh: Decimal) -> str:
    return _text(energy_wh.scaleb(-3, EXACT))


def _text(number: Decimal) -> str:
    return f"{plain(number):f}"


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()

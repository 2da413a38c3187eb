"""The lines of a statement as CSV (RFC 4180): for a program, exact, in no language."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Final

from ledger.invoices.shown import UNITS
from projections.documents.statements.statement import StatementSession
from tariffs.phrases.printable import csv_text
from tariffs.quantities import money_of_minor

COLUMNS: Final = (
    "document",
    "session",
    "revision",
    "station",
    "evse",
    "starts_at",
    "ends_at",
    "line",
    "component",
    "quantity",
    "unit",
    "unit_price",
    "tax_percent",
    "net",
    "tax",
    "gross",
    "currency",
)


class LineTable:
    """Rows are added a session at a time; `text` is the whole.

    What a credit note takes back is below 0, quantity and amounts alike: the gross of all rows is
    what the statement's documents come to.
    """

    def __init__(self) -> None:
        self._text = StringIO()
        self._rows = csv.writer(self._text, lineterminator="\r\n")
        self._rows.writerow(COLUMNS)

    def add(self, session: StatementSession) -> None:
        """Add the lines of *session*; times with their offset from UTC."""
        number, decision, is_credited = session
        local, currency, sign = decision.local_zone, decision.currency, -1 if is_credited else 1
        for line in decision.lines:
            net, tax = sign * line.net_minor, sign * line.tax_minor
            self._rows.writerow(
                (
                    csv_text(number),
                    csv_text(decision.session_id),
                    decision.revision,
                    csv_text(decision.station_id),
                    "" if decision.evse_id is None else decision.evse_id,
                    line.starts_at.astimezone(local).isoformat(),
                    line.ends_at.astimezone(local).isoformat(),
                    line.line,
                    csv_text(line.component),
                    f"{line.billed_volume.copy_negate() if is_credited else line.billed_volume:f}",
                    UNITS[line.dimension],
                    f"{line.unit_price:f}",
                    "" if line.tax_percent is None else f"{line.tax_percent:f}",
                    *(_money(minor, currency) for minor in (net, tax, net + tax)),
                    currency,
                )
            )

    def add_rounding(self, number: str, minor: int, currency: str) -> None:
        """Add what document *number* as a whole comes to beside its lines."""
        named = {
            "document": csv_text(number),
            "component": "rounding",
            "gross": _money(minor, currency),
            "currency": currency,
        }
        self._rows.writerow([named.get(column, "") for column in COLUMNS])

    @property
    def text(self) -> str:
        """Return the table so far."""
        return self._text.getvalue()


def _money(minor: int, currency: str) -> str:
    return f"{money_of_minor(minor, currency).amount:f}"

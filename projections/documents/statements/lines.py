"""The lines of a statement as CSV (RFC 4180): for a program, exact, in no language."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Final

from ledger.invoices.shown import UNITS
from ledger.rating.decisions import SessionRated
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
    """Rows are added a session at a time; `text` is the whole."""

    def __init__(self) -> None:
        self._text = StringIO()
        self._rows = csv.writer(self._text, lineterminator="\r\n")
        self._rows.writerow(COLUMNS)

    def add(self, number: str, decision: SessionRated) -> None:
        """Add the lines of a session on document *number*; times with their offset from UTC."""
        local, currency = decision.local_zone, decision.currency
        for line in decision.lines:
            amounts = (line.net_minor, line.tax_minor, line.net_minor + line.tax_minor)
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
                    f"{line.billed_volume:f}",
                    UNITS[line.dimension],
                    f"{line.unit_price:f}",
                    "" if line.tax_percent is None else f"{line.tax_percent:f}",
                    *(f"{money_of_minor(minor, currency).amount:f}" for minor in amounts),
                    currency,
                )
            )

    @property
    def text(self) -> str:
        """Return the table so far."""
        return self._text.getvalue()

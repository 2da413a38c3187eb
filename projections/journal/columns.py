"""A posting as a row: what CSV and workbooks have in common."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Final

from msgspec.structs import astuple

from projections.journal.chart import Chart
from projections.journal.entries import BookedEntry

COLUMNS: Final = (
    "booked_on",
    "booked_at",
    "entry",
    "posting",
    "legal_entity",
    "session",
    "revision",
    "account",
    "account_number",
    "account_name",
    "tax_code",
    "party",
    "currency",
    "debit",
    "credit",
    "period",
    "original_period",
)
AMOUNTS: Final = COLUMNS.index("debit"), COLUMNS.index("credit")
Row = tuple[str | Decimal, ...]


def rows_of(entry: BookedEntry, chart: Chart) -> Iterator[Row]:
    """Yield a row for each posting: texts, and a debit or a credit as an exact amount."""
    booked_at = entry.booked_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    revision = "" if entry.revision is None else str(entry.revision)
    for number, leg in enumerate(entry.postings, 1):
        yield (
            entry.booked_on.isoformat(),
            booked_at,
            entry.entry,
            str(number),
            entry.legal_entity,
            entry.session or "",
            revision,
            leg.account,
            *astuple(chart.of(leg.account, entry.legal_entity)),
            leg.party,
            leg.currency,
            leg.amount if leg.amount_minor > 0 else "",
            -leg.amount if leg.amount_minor < 0 else "",
            entry.period,
            entry.original_period,
        )

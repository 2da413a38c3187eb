"""Numbers of documents: one gapless series per legal entity, kind and year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate, event
from psycopg import Connection

from ledger.aggregates.namespace import NAMESPACE
from ledger.declared.changes import PlannedChange
from ledger.errors import LedgerError
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.numbers import DocumentNumbers
from tariffs.zones import zone, zone_names

INVOICES: Final = "invoices"
CREDIT_NOTES: Final = "credit_notes"
_LAST: LiteralString = """
SELECT extract(year FROM issued_on)::integer, max(place) FROM issued_invoice
WHERE legal_entity = %s AND (credits IS NOT NULL) = %s AND issued_on >= make_date(%s, 1, 1)
GROUP BY 1 ORDER BY 1 DESC LIMIT 1
"""


class NumberSeries(Aggregate):
    """The numbers given to one legal entity's documents of one kind and year.

    A number exists only in the same save as its invoice, so there is no gap and no reserve. It
    begins at `start`; `format` is how numbers are written from `format_since` on.
    """

    def __init__(
        self, *, legal_entity: str, year: int, kind: str, start: int, number_format: str
    ) -> None:
        self.legal_entity, self.year, self.kind = legal_entity, year, kind
        self.start, self.format, self.format_since = start, number_format, start
        self.last = start - 1
        self.last_issued_on = ""

    @staticmethod
    def create_id(*, legal_entity: str, year: int, kind: str) -> UUID:
        """Return the id of the series of a legal entity, kind and year."""
        return uuid5(NAMESPACE, f"numbers:{kind}:{year}:{legal_entity}")

    def earliest(self, wished: date) -> date:
        """Return *wished*, or the last invoice's date where that is later: dates never go back."""
        last = self.last_issued_on
        return max(wished, date.fromisoformat(last)) if last else wished

    @property
    def next(self) -> int:
        """Return the number that is given next."""
        return self.last + 1

    def take(self, invoice_id: UUID, *, issued_on: date, number_format: str) -> int:
        """Give the next number to an invoice of *issued_on*, which writes it in that format.

        Raises:
            NumberOrderError: If the day lies before the last invoice's, or in another year.
        """
        if issued_on.year != self.year or self.earliest(issued_on) != issued_on:
            raise NumberOrderError(self.legal_entity, self.year, issued_on)
        if number_format != self.format:
            self._write(number_format=number_format)
        self._take(invoice_id=str(invoice_id), issued_on=issued_on.isoformat())
        return self.last

    @event("Rewritten")
    def _write(self, number_format: str) -> None:
        self.format, self.format_since = number_format, self.last + 1

    @event("Taken")
    def _take(self, invoice_id: str, issued_on: str) -> None:  # noqa: ARG002 - kept in the event
        self.last += 1
        self.last_issued_on = issued_on


class BegunSeries(NamedTuple):
    """A series that cannot begin at `start` any more: it went as far as `last`."""

    kind: str
    year: int
    start: int
    last: int


def begun_series(
    connection: Connection[Any], change: PlannedChange, seller: LegalEntity
) -> Iterator[BegunSeries]:
    """Yield the series that declaring *seller* would start anew, and that have given numbers."""
    known = change.before.numbers if isinstance(change.before, LegalEntity) else DocumentNumbers()
    calendar = zone(seller.time_zone) if seller.time_zone in zone_names() else UTC
    year = change.valid_from.astimezone(calendar).year
    for kind, was, now in (
        ("invoices", known.invoices, seller.numbers.invoices),
        ("credit notes", known.credit_notes, seller.numbers.credit_notes),
    ):
        if was.start == now.start:
            continue
        asked = change.key, kind == "credit notes", year
        for begun, last in connection.execute(_LAST, asked).fetchall():
            yield BegunSeries(kind, begun, now.start, last)


class NumberOrderError(LedgerError):
    """A number was asked for a day that its series has passed, or of another year."""

    def __init__(self, legal_entity: str, year: int, issued_on: date) -> None:
        super().__init__(f"{legal_entity}: {issued_on} cannot follow in the numbers of {year}")
        self.legal_entity, self.year, self.issued_on = legal_entity, year, issued_on

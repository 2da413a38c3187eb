"""Numbers of documents: one gapless series per legal entity, kind and year."""

from __future__ import annotations

from datetime import date
from typing import Final
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate, event

from ledger.aggregates.namespace import NAMESPACE
from ledger.errors import LedgerError

INVOICES: Final = "invoices"
CREDIT_NOTES: Final = "credit_notes"


class NumberSeries(Aggregate):
    """The numbers given to one legal entity's documents of one kind and year.

    A number exists only in the same save as its invoice, so there is no gap and no reserve.
    """

    def __init__(self, *, legal_entity: str, year: int, kind: str) -> None:
        self.legal_entity, self.year, self.kind = legal_entity, year, kind
        self.last = 0
        self.last_issued_on = ""

    @staticmethod
    def create_id(*, legal_entity: str, year: int, kind: str) -> UUID:
        """Return the id of the series of a legal entity, kind and year."""
        return uuid5(NAMESPACE, f"numbers:{kind}:{year}:{legal_entity}")

    def earliest(self, wished: date) -> date:
        """Return *wished*, or the last invoice's date where that is later: dates never go back."""
        return max(wished, date.fromisoformat(self.last_issued_on)) if self.last else wished

    @property
    def next(self) -> int:
        """Return the number that is given next."""
        return self.last + 1

    def take(self, invoice_id: UUID, *, issued_on: date) -> int:
        """Give the next number to an invoice of *issued_on*.

        Raises:
            NumberOrderError: If the day lies before the last invoice's, or in another year.
        """
        if issued_on.year != self.year or self.earliest(issued_on) != issued_on:
            raise NumberOrderError(self.legal_entity, self.year, issued_on)
        self._take(invoice_id=str(invoice_id), issued_on=issued_on.isoformat())
        return self.last

    @event("Taken")
    def _take(self, invoice_id: str, issued_on: str) -> None:  # noqa: ARG002 - kept in the event
        self.last += 1
        self.last_issued_on = issued_on


class NumberOrderError(LedgerError):
    """A number was asked for a day that its series has passed, or of another year."""

    def __init__(self, legal_entity: str, year: int, issued_on: date) -> None:
        super().__init__(f"{legal_entity}: {issued_on} cannot follow in the numbers of {year}")
        self.legal_entity, self.year, self.issued_on = legal_entity, year, issued_on

"""The application that decides about invoices: an invoice and its number in one atomic save."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError
from eventsourcing.utils import get_topic

from ledger.aggregates.store import DecisionApplication
from ledger.errors import LedgerError
from ledger.invoices.document import render_invoice
from ledger.invoices.invoice import Invoice
from ledger.invoices.numbering import CREDIT_NOTES, INVOICES, NumberSeries
from ledger.invoices.order import InvoiceOrder

_ISSUED_TOPIC: Final = get_topic(Invoice.Issued)
_ATTEMPTS_MAX: Final = 50
_PAGE: Final = 500
# A series grows for a year, and each invoice reads it anew.
_SNAPSHOT_EVERY: Final = 50


class InvoiceIssuer(DecisionApplication):
    """Issues invoices; several processes may do so at once. Close it after use."""

    name = "invoices"
    snapshotting_intervals: ClassVar = {NumberSeries: _SNAPSHOT_EVERY}

    def find(self, cause: str) -> Invoice | None:
        """Return the invoice that *cause* has led to, if it was issued."""
        return self._find(Invoice.create_id(cause=cause))

    def issue(self, order: InvoiceOrder) -> Invoice:
        """Return the invoice of the order's cause; issue it with the next number if it is new.

        Idempotent: the invoice that exists is returned as it is, even if the order asks for more.

        Raises:
            IssuingContendedError: If others were faster each time.
        """
        # Optimistic: the save refuses a number that another issuer took since we read the series.
        for _ in range(_ATTEMPTS_MAX):
            issued = self.find(order.cause)
            if issued is not None:
                return issued
            invoice, series = self._issued(order)
            try:
                self.save(invoice, series)
            except IntegrityError:
                continue  # another issuer took the number or issued for this cause: look again
            return invoice
        raise IssuingContendedError(order.cause)

    def invoices(self, *, after: int = 0, page: int = _PAGE) -> Iterator[tuple[int, Invoice]]:
        """Yield every issued invoice with its notification id, in the order of issue.

        That order is the one of the commits: the library's store locks its table for each save.
        """
        while True:
            notifications = self.recorder.select_notifications(
                after, page, topics=[_ISSUED_TOPIC], inclusive_of_start=False
            )
            for notification in notifications:
                yield notification.id, self.repository.get(UUID(str(notification.originator_id)))
                after = notification.id
            if len(notifications) < page:
                return

    def last_number(self, *, legal_entity: str, year: int, kind: str) -> int:
        """Return the last number given in a series, booked or not; 0 where there is none."""
        return self._series(legal_entity, year, kind).last

    def _issued(self, order: InvoiceOrder) -> tuple[Invoice, NumberSeries]:
        wished = order.date_wished()
        kind = CREDIT_NOTES if order.credits else INVOICES
        series = self._series(order.legal_entity, wished.year, kind)
        issued_on = series.earliest(wished)
        invoice = Invoice(
            cause=order.cause,
            session_ids=[session.session_id for session in order.sessions],
            revisions=[session.revision for session in order.sessions],
            issued_at=order.recorded_at,
            declared_version=order.declared_version,
            credited=order.credits.number if order.credits else None,
        )
        number = series.take(invoice.id, prefix=order.prefix, issued_on=issued_on)
        document = render_invoice(order, number=number, issued_on=issued_on)
        invoice.issue(number=number, issued_on=issued_on, document=document)
        return invoice, series

    def _find(self, invoice_id: UUID) -> Invoice | None:
        try:
            return self.repository.get(invoice_id)
        except AggregateNotFoundError:
            return None

    def _series(self, legal_entity: str, year: int, kind: str) -> NumberSeries:
        series_id = NumberSeries.create_id(legal_entity=legal_entity, year=year, kind=kind)
        try:
            return self.repository.get(series_id)
        except AggregateNotFoundError:
            return NumberSeries(legal_entity=legal_entity, year=year, kind=kind)


class IssuingContendedError(LedgerError):
    """Other issuers were faster at every attempt."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"no number could be taken for {cause}: too many issue at once")
        self.cause = cause

"""The application that decides about invoices: they and their numbers in one atomic save."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application, project_aggregate
from eventsourcing.persistence import IntegrityError, Mapper, Notification
from eventsourcing.utils import Environment, EnvType, get_topic
from psycopg import Connection

from ledger.aggregates.store import DecisionApplication, stored_events
from ledger.errors import LedgerError
from ledger.invoices.checks.gate import DocumentGate
from ledger.invoices.checks.refusal import CheckMissingError, DocumentCheck
from ledger.invoices.document import document_of
from ledger.invoices.invoice import Invoice
from ledger.invoices.numbering import CREDIT_NOTES, INVOICES, NumberSeries
from ledger.invoices.order import OF_ITS_CONTENT, InvoiceOrder
from tariffs.model.canonical import canonical_json

_INVOICE_TOPICS: Final = [get_topic(Invoice.Created), get_topic(Invoice.Issued)]
_ATTEMPTS_MAX: Final = 50
_PAGE: Final = 500
# A series grows for a year, and each save reads it anew.
_SNAPSHOT_EVERY: Final = 100


class InvoiceIssuer(DecisionApplication):
    """Issues invoices; several processes may do so at once. Close it after use.

    Nothing is issued that does not pass the gate: our own exact checks, and then *check*.
    """

    name = "invoices"
    snapshotting_intervals: ClassVar = {NumberSeries: _SNAPSHOT_EVERY}

    def __init__(self, dsn: str, check: DocumentCheck | None = None) -> None:
        """Open the invoices in the database *dsn*; *check* looks at each before it is saved."""
        super().__init__(dsn)
        self._gate = DocumentGate(check)

    def find(self, cause: str) -> Invoice | None:
        """Return the invoice that *cause* has led to, if it was issued."""
        return self._find(Invoice.create_id(cause=cause))

    def issue(self, order: InvoiceOrder) -> Invoice:
        """Return the invoice of the order's cause; issue it with the next number if it is new.

        Idempotent: the invoice that exists is returned as it is, even if the order asks for more.

        Raises:
            DocumentRefusedError: If its document must not be issued.
            CheckMissingError: If documents cannot be checked now.
            IssuingContendedError: If others were faster each time.
        """
        self.issue_all((order,))
        return self.repository.get(Invoice.create_id(cause=order.cause))

    def issue_all(
        self,
        orders: Sequence[InvoiceOrder],
        *,
        told: Callable[[str, Exception], None] | None = None,
    ) -> None:
        """Issue the invoices of *orders* with the next numbers, in that order: all in one save.

        A cause that has its invoice keeps it as it is.

        Args:
            orders: Each of another cause.
            told: Given each cause whose document cannot be made, or is refused, and why: it takes
                no number, and the others do not wait for it. None raises instead, with nothing
                saved.

        Raises:
            CheckMissingError: If documents cannot be checked now; then none is issued.
            IssuingContendedError: If others were faster each time.
        """
        # Optimistic: the save refuses a number that another issuer took since we read the series,
        # and an invoice that there is. Only then is each asked for.
        wanted = list(orders)
        for _ in range(_ATTEMPTS_MAX):
            series: dict[UUID, NumberSeries] = {}
            invoices = [self._issued(order, series, told) for order in wanted]
            if not any(invoices):
                return
            try:
                self.save(*invoices, *series.values())
            except IntegrityError:
                wanted = [order for order in orders if self.find(order.cause) is None]
                continue
            return
        raise IssuingContendedError(orders[0].cause)

    def invoices(self, *, after: int = 0, page: int = _PAGE) -> Iterator[tuple[int, Invoice]]:
        """Yield every issued invoice with its notification id, in the order of issue.

        That order is the one of the commits: the library's store locks its table for each save.
        """
        while True:
            # An invoice's two events stand beside each other: they are saved together.
            events = self.recorder.select_notifications(
                after, 2 * page, topics=_INVOICE_TOPICS, inclusive_of_start=False
            )
            for began, issued in zip(events[::2], events[1::2], strict=True):
                yield issued.id, self._read(began, issued)
                after = issued.id
            if len(events) < 2 * page:
                return

    def series(self, *, legal_entity: str, year: int, kind: str) -> NumberSeries | None:
        """Return a series with all numbers that were given, booked or not; None before the first.

        *kind*: `INVOICES` or `CREDIT_NOTES`.
        """
        return self._series(NumberSeries.create_id(legal_entity=legal_entity, year=year, kind=kind))

    def _issued(
        self,
        order: InvoiceOrder,
        known: dict[UUID, NumberSeries],
        told: Callable[[str, Exception], None] | None,
    ) -> Invoice | None:
        """Return the invoice of *order*, numbered by the series in *known*; None if *told* why."""
        series_id, series = self._series_of(order, known)
        issued_on = series.earliest(order.date_wished())
        number = order.number(series.next, issued_on)
        try:
            document = document_of(order, number=number, issued_on=issued_on)
            content = canonical_json(document)
            self._gate.let_through(order, document, content)
        except CheckMissingError:
            raise
        except OF_ITS_CONTENT as error:
            if told is None:
                raise
            told(order.cause, error)
            return None
        invoice = Invoice(
            cause=order.cause,
            session_ids=[session.session_id for session in order.sessions],
            revisions=[session.revision for session in order.sessions],
            issued_at=order.recorded_at,
            declared_version=order.declared_version,
            credited=order.credits.number if order.credits else None,
        )
        place = series.take(invoice.id, issued_on=issued_on, number_format=order.numbers.format)
        invoice.issue(number=number, place=place, issued_on=issued_on, document=content)
        known[series_id] = series
        return invoice

    def _read(self, *stored: Notification) -> Invoice:
        """Return the invoice that its events make, all of which are *stored*."""
        events = [self.mapper.to_domain_event(each) for each in stored]
        invoice: Invoice | None = project_aggregate(None, events)
        if invoice is None:
            raise AggregateNotFoundError(stored[0].originator_id)
        return invoice

    def _find(self, invoice_id: UUID) -> Invoice | None:
        try:
            return self.repository.get(invoice_id)
        except AggregateNotFoundError:
            return None

    def _series_of(
        self, order: InvoiceOrder, known: Mapping[UUID, NumberSeries]
    ) -> tuple[UUID, NumberSeries]:
        """Return the series that numbers *order*: of those *known*, that there is, or a new one."""
        legal_entity, year = order.legal_entity, order.date_wished().year
        kind = CREDIT_NOTES if order.credits else INVOICES
        series_id = NumberSeries.create_id(legal_entity=legal_entity, year=year, kind=kind)
        found = known.get(series_id) or self._series(series_id)
        return series_id, found or NumberSeries(
            legal_entity=legal_entity,
            year=year,
            kind=kind,
            start=order.numbers.start,
            number_format=order.numbers.format,
        )

    def _series(self, series_id: UUID) -> NumberSeries | None:
        try:
            return self.repository.get(series_id)
        except AggregateNotFoundError:
            return None


class _InMemory(Application[UUID]):
    """Keeps nothing: it lends its mapper, which makes aggregates of stored events."""

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return no settings, whatever the process environment says."""
        return Environment(name, {**(env or {})})


@cache
def _mapper() -> Mapper[UUID]:
    return _InMemory().mapper


def issued_invoice(connection: Connection[Any], cause: str) -> Invoice | None:
    """Return the invoice that *cause* has led to, by the caller's own connection.

    It is booked, or was saved by this process: before the first one there is nothing to look in.
    """
    stored = stored_events(connection, InvoiceIssuer.name, Invoice.create_id(cause=cause))
    mapper = _mapper()
    invoice: Invoice | None = project_aggregate(None, map(mapper.to_domain_event, stored))
    return invoice


class IssuingContendedError(LedgerError):
    """Other issuers were faster at every attempt."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"no number could be taken for {cause}: too many issue at once")
        self.cause = cause

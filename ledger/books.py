"""The application that decides about invoices: an invoice and its number in one atomic save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

import psycopg
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory, IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import Environment, EnvType, get_topic
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from ledger.document import render_invoice
from ledger.errors import LedgerError
from ledger.invoice import Invoice
from ledger.invoice_order import InvoiceOrder
from ledger.numbering import NumberSeries

DECISIONS_SCHEMA: Final = "decisions"
_CREATE_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS decisions"
_SETUP_LOCK: Final = 0x626F6F6B  # "book"
_SETTINGS: Final = {
    "IS_SNAPSHOTTING_ENABLED": "y",
    "POSTGRES_SCHEMA": DECISIONS_SCHEMA,
    "POSTGRES_POOL_SIZE": "1",
    "POSTGRES_MAX_OVERFLOW": "4",
    # The library's own database functions lose events for readers (stack notes): never on.
    "POSTGRES_ENABLE_DB_FUNCTIONS": "n",
    # Required by the library and replaced by the connection string in _Factory.
    "POSTGRES_DBNAME": "unused",
    "POSTGRES_HOST": "unused",
    "POSTGRES_USER": "unused",
    "POSTGRES_PASSWORD": "unused",
}
_ISSUED_TOPIC: Final = get_topic(Invoice.Issued)
_ATTEMPTS_MAX: Final = 50
_PAGE: Final = 500
_SNAPSHOT_EVERY: Final = 50


class _Recorder(PostgresApplicationRecorder):
    """The library's recorder without its pipeline.

    The pipeline hangs for ever once a save exceeds the socket's buffer (psycopg 3.3,
    Pipeline.sync); a plain transaction with the same statements does not.
    """

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Insert *stored_events* and return their notification ids, all or nothing."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_stored_events(cursor, stored_events, **kwargs)
            return self._fetch_ids_after_insert_events(cursor, stored_events, **kwargs)


class _Factory(PostgresFactory):
    """The library's factory, with any connection string (a socket's path, options, TLS)."""

    application_recorder_class = _Recorder

    def __init__(self, dsn: str, env: Environment) -> None:
        super().__init__(env)
        self.datastore.pool.kwargs = {**conninfo_to_dict(dsn), "row_factory": dict_row}


class Books(Application[UUID]):
    """Issues invoices; several processes may do so at once.

    Keeps its events in the schema `decisions` of the database that *dsn* names. Close it after use.
    """

    name = "books"
    snapshotting_intervals: ClassVar = {NumberSeries: _SNAPSHOT_EVERY}

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        with psycopg.connect(dsn) as connection:
            # One process at a time makes the tables: IF NOT EXISTS alone can still collide.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
            with psycopg.connect(dsn, autocommit=True) as schema_connection:
                schema_connection.execute(_CREATE_SCHEMA)
            super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return the library's settings: ours alone, whatever the process environment says."""
        return Environment(name, {**_SETTINGS, **(env or {})})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Return the library's PostgreSQL store, on our connection string."""
        return _Factory(self._dsn, env)

    def find(self, cause: str) -> Invoice | None:
        """Return the invoice that *cause* has led to, if it was issued."""
        return self._find(Invoice.create_id(cause=cause))

    def issue(self, order: InvoiceOrder) -> Invoice:
        """Return the invoice of the order's cause; issue it with the next number if it is new.

        Idempotent: the invoice that exists is returned as it is, even if the order asks for more.

        Raises:
            IssuingContendedError: If others were faster each time.
        """
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

    def invoices(self, *, after: int = 0) -> Iterator[tuple[int, Invoice]]:
        """Yield every issued invoice with its notification id, in the order of issue."""
        while True:
            page = self.recorder.select_notifications(
                after, _PAGE, topics=[_ISSUED_TOPIC], inclusive_of_start=False
            )
            for notification in page:
                yield notification.id, self.repository.get(UUID(str(notification.originator_id)))
                after = notification.id
            if len(page) < _PAGE:
                return

    def _issued(self, order: InvoiceOrder) -> tuple[Invoice, NumberSeries]:
        wished = order.date_wished()
        series = self._series(order.legal_entity, wished.year)
        issued_on = series.earliest(wished)
        invoice = Invoice(
            cause=order.cause,
            session_ids=[session.session_id for session in order.sessions],
            issued_at=order.recorded_at,
            declared_version=order.declared_version,
        )
        number = series.take(invoice.id, prefix=order.seller.invoice_prefix, issued_on=issued_on)
        document = render_invoice(order, number=number, issued_on=issued_on)
        invoice.issue(number=number, issued_on=issued_on, document=document)
        return invoice, series

    def _find(self, invoice_id: UUID) -> Invoice | None:
        try:
            return self.repository.get(invoice_id)
        except AggregateNotFoundError:
            return None

    def _series(self, legal_entity: str, year: int) -> NumberSeries:
        try:
            return self.repository.get(NumberSeries.create_id(legal_entity=legal_entity, year=year))
        except AggregateNotFoundError:
            return NumberSeries(legal_entity=legal_entity, year=year)


class IssuingContendedError(LedgerError):
    """Other issuers were faster at every attempt."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"no number could be taken for {cause}: too many issue at once")
        self.cause = cause

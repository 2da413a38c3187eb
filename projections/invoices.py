"""Issued invoices in the books: their rows and what they post, once each.

The issuing part books an invoice right after it is issued. One that was killed in between, or
another process that issues, leaves invoices which nobody booked: this projection finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.persistence import Notification
from eventsourcing.utils import get_topic
from psycopg import Connection

from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import book_invoice


class InvoiceProjection:
    """Books every issued invoice; one that is booked already changes nothing."""

    name: ClassVar = "invoices"
    topics: ClassVar = (get_topic(Invoice.Issued),)

    def project(
        self, connection: Connection[Any], issuer: InvoiceIssuer, page: Sequence[Notification]
    ) -> None:
        """Book the invoices that *page* tells of."""
        for notification in page:
            book_invoice(connection, issuer.repository.get(UUID(str(notification.originator_id))))

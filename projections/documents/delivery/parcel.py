"""What is delivered: a kept document, for whom, and by which ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

import msgspec
from psycopg import Connection

from ledger.invoices.document import InvoiceDocument
from ledger.master_data.customers import PersonDetails
from ledger.persons.store import read_blobs
from projections.documents.delivery.outbox import Attempt
from projections.documents.keeping.kept import KeptDocument
from projections.errors import ProjectionError


class DueReminder(NamedTuple):
    """For the how manieth time a payer is reminded, of how much, due when; in minor units."""

    level: int
    open_minor: int
    currency: str
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A document on its way: the same `key` at each attempt, so that a receiver knows it again."""

    attempt: Attempt
    kept: KeptDocument
    document: InvoiceDocument
    reader: PersonDetails
    reminder: DueReminder | None = None

    @property
    def key(self) -> str:
        """Return what names the delivery to whoever receives it."""
        again = "" if self.reminder is None else f"/reminder-{self.reminder.level}"
        return f"{self.kept.number}/{self.attempt.way}/{self.kept.pdf_sha256[:16]}{again}"


class NotDeliveredError(ProjectionError):
    """It has surely not arrived. `why` names no person; `is_final`: trying again is of no use.

    `is_away`: nothing goes by that way now, whatever it is.
    """

    def __init__(self, why: str, *, is_final: bool = False, is_away: bool = False) -> None:
        super().__init__(why)
        self.why, self.is_final, self.is_away = why, is_final, is_away


class Way(Protocol):
    """A way to a reader."""

    def deliver(
        self, connection: Connection[Any], parcel: Parcel, may_arrive: Callable[[], None], /
    ) -> None:
        """Deliver *parcel*; to return is that it has arrived.

        Call *may_arrive* before the first moment from which on it may have arrived; whoever takes
        the same key twice for one, as a folder does, need not.

        Raises:
            NotDeliveredError: If it has surely not arrived.
        """


def reader_of(connection: Connection[Any], document: InvoiceDocument) -> PersonDetails | None:
    """Return who *document* is for, None where that was erased or is nobody's name."""
    reference = document.buyer.details if document.buyer else None
    if reference is None:
        return None
    content = read_blobs(connection, [reference]).get(reference)
    return None if content is None else msgspec.json.decode(content, type=PersonDetails)

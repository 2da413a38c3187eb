"""The invoice: what one customer owes for some sessions; immutable once issued."""

from __future__ import annotations

from datetime import date, datetime
from hashlib import sha256
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate, event

from ledger.aggregates.namespace import NAMESPACE
from ledger.errors import LedgerError
from ledger.rating.decisions import SessionRevision


class Invoice(Aggregate):
    """An invoice; its id is made of its cause, so that the same cause gives the same invoice.

    `cause` is "session:<id>" ("session:<id>/2" for revision 2), "threshold:<id>" by the session
    that reached it, or "month:<month>:<currency>:<legal entity>:<customer>", ":<partner>" behind it
    where that one owes it; a credit note's, which `credits` an invoice, is
    "credit:<count>:<number>". `issued_at` is the record time at which it was decided,
    `declared_version` the master data it was made with: with `sessions`, `number` and `issued_on`
    all that its document is rendered from.
    """

    class Issued(Aggregate.Event):
        """The invoice got its number, its date and its bytes."""

        number: str
        place: int
        issued_on: str
        document: str
        sha256: str

    def __init__(
        self,
        *,
        cause: str,
        session_ids: list[str],
        revisions: list[int],
        issued_at: datetime,
        declared_version: int,
        credited: str | None,
    ) -> None:
        self.cause = cause
        self.session_ids, self.revisions = session_ids, revisions
        self.issued_at = issued_at
        self.declared_version = declared_version
        self.credits = credited
        self.number: str | None = None
        self.place = 0
        self.issued_on_text = ""
        self.document = ""
        self.sha256 = ""

    @staticmethod
    def create_id(*, cause: str) -> UUID:
        """Return the id of the invoice that *cause* leads to."""
        return uuid5(NAMESPACE, f"invoice:{cause}")

    @property
    def sessions(self) -> tuple[SessionRevision, ...]:
        """Return which ratings it bills, in its order."""
        return tuple(map(SessionRevision, self.session_ids, self.revisions))

    @property
    def issued_on(self) -> date:
        """Return the date on the invoice, in its legal entity's calendar."""
        return date.fromisoformat(self.issued_on_text)

    def issue(self, *, number: str, place: int, issued_on: date, document: bytes) -> None:
        """Give the invoice its legal number and its bytes; from here on nothing changes it.

        *place* is the number's in its series, *number* how it is written.

        Raises:
            InvoiceAlreadyIssuedError: If it has been issued.
        """
        if self.number is not None:
            raise InvoiceAlreadyIssuedError(self.id, self.number)
        self._issue(
            number=number,
            place=place,
            issued_on=issued_on.isoformat(),
            document=document.decode(),
            sha256=sha256(document).hexdigest(),
        )

    @event(Issued)
    def _issue(self, number: str, place: int, issued_on: str, document: str, sha256: str) -> None:
        self.number = number
        self.place = place
        self.issued_on_text = issued_on
        self.document = document
        self.sha256 = sha256


class InvoiceAlreadyIssuedError(LedgerError):
    """An issued invoice is never changed; a credit note corrects it."""

    def __init__(self, invoice_id: UUID, number: str) -> None:
        super().__init__(f"invoice {number} ({invoice_id}) is issued and never changes")
        self.invoice_id, self.number = invoice_id, number

"""What an invoice is made of before it has a number: the sessions, and who sells to whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from ledger.books.document_taxes import DocumentTaxes, owed_beyond
from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.numbers import SeriesNumbers
from ledger.rating.decisions import (
    CorrectionCause,
    Payer,
    SessionRated,
    SessionRevision,
    named,
)
from tariffs.errors import TariffError
from tariffs.zones import zone

OF_ITS_CONTENT: Final = (LedgerError, TariffError, ValueError, ArithmeticError)
"""What making an order or its document raises about what it is made of: the others are made."""


class CreditedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What of a session's rating a credit note takes back, and why.

    `rated_lines` are lines of the rating, which stand on the invoice as its `invoice_lines`, in
    that order. `replaced_by` is the revision that holds in its place, `cause` that one's.
    """

    invoice_lines: tuple[int, ...]
    rated_lines: tuple[int, ...]
    replaced_by: int
    cause: CorrectionCause


class Credited(msgspec.Struct, frozen=True, kw_only=True):
    """Which invoice a credit note credits, and what of it was credited `before`.

    `parts`: what is taken back of each session, by its id.
    """

    number: str
    issued_on: date
    parts: Mapping[str, CreditedPart]
    before: tuple[SessionRated, ...] = ()


class InvoiceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an invoice's document says, except its number and date.

    `recorded_at` is the record time at which it is made, `month` the month it is for ("2026-11"),
    None for an invoice of one session or of a threshold. `buyer` None: the bearer of a token.
    `credits`: of a credit note, whose sessions are ratings of that invoice.
    """

    cause: str
    legal_entity: str
    seller: LegalEntity
    payer: Payer
    buyer: Customer | None
    currency: str
    month: str | None
    sessions: tuple[SessionRated, ...]
    recorded_at: datetime
    declared_version: int
    credits: Credited | None = None

    @property
    def numbers(self) -> SeriesNumbers:
        """Return how the seller numbers such documents."""
        numbers = self.seller.numbers
        return numbers.credit_notes if self.credits else numbers.invoices

    def number(self, place: int, issued_on: date) -> str:
        """Return the number at a *place* of its series, as it is written ("WL-2026-000001")."""
        return self.numbers.number(
            place,
            year=issued_on.year,
            prefix=self.seller.invoice_prefix,
            legal_entity=self.legal_entity,
        )

    def owed(self) -> DocumentTaxes:
        """Return what is owed; of a credit note what is owed no more, as positive amounts.

        That is what all credited so far comes to, less what was credited before: notes over the
        whole of an invoice add up to exactly that.
        """
        return owed_beyond(self.credits.before if self.credits else (), self.charged)

    @property
    def charged(self) -> tuple[SessionRated, ...]:
        """Return the sessions with the lines alone that the document is about."""
        credited = self.credits
        if credited is None:
            return self.sessions
        parts = credited.parts
        return tuple(part_of(each, parts[each.session_id].rated_lines) for each in self.sessions)

    def date_wished(self) -> date:
        """Return the day of the record time in the seller's calendar."""
        return self.recorded_at.astimezone(zone(self.seller.time_zone)).date()

    def due_on(self, issued_on: date) -> date | None:
        """Return until when it is to be paid, None where no terms say so; of no credit note."""
        days = None if self.buyer is None or self.credits else self.buyer.payment_days
        return None if days is None else issued_on + timedelta(days=days)


def part_of(session: SessionRated, lines: Collection[int]) -> SessionRated:
    """Return *session* as if these *lines* were all of its price."""
    kept = tuple(line for line in session.lines if line.line in lines)
    return replace(
        session,
        lines=kept,
        net_minor=sum(line.net_minor for line in kept),
        tax_minor=sum(line.tax_minor for line in kept),
    )


def cause_of_session(session: SessionRevision) -> str:
    """Return the cause of an invoice for one session."""
    return f"session:{named(session)}"


def cause_of_threshold(session: SessionRevision) -> str:
    """Return the cause of an invoice that is due as *session* reached its customer's threshold."""
    return f"threshold:{named(session)}"


def cause_of_month(
    *, legal_entity: str, customer: str, currency: str, month: str, partner: str | None = None
) -> str:
    """Return the cause of a customer's invoice for one month; *partner*: who owes it instead."""
    cause = f"month:{month}:{currency}:{legal_entity}:{customer}"
    return cause if partner is None else f"{cause}:{partner}"


def cause_of_credit(number: str, count: int) -> str:
    """Return the cause of the *count*-th credit note to invoice *number*, from 1."""
    return f"credit:{count}:{number}"


def order_of(
    cause: str,
    sessions: Sequence[SessionRated],
    declarations: Declarations,
    *,
    at: datetime,
    credited: Credited | None = None,
) -> InvoiceOrder:
    """Return the order for *sessions*, with names and addresses as declared for *at*.

    A seller or buyer that was withdrawn meanwhile stands as it was at the session's start.

    Args:
        cause: From `cause_of_session`, `cause_of_threshold`, `cause_of_month` or `cause_of_credit`.
        sessions: At least one; all of one legal entity, customer and currency.
        declarations: The snapshot whose version the invoice records.
        at: The record time.
        credited: What a credit note is about.

    Raises:
        MixedInvoiceError: If the sessions do not belong on one invoice.
        SellerMissingError: If the legal entity was not declared.
    """
    # The id breaks ties, so that a replay renders the same bytes.
    ordered = tuple(sorted(sessions, key=lambda s: (s.started_at, s.session_id)))
    if len({(s.legal_entity, s.currency, s.payer.customer) for s in ordered}) != 1:
        raise MixedInvoiceError(cause)
    first = ordered[0]
    seller = declarations.legal_entity(first.legal_entity, at) or declarations.legal_entity(
        first.legal_entity, first.started_at
    )
    if seller is None:
        raise SellerMissingError(first.legal_entity)
    buyer_id, started_at = first.payer.customer, first.started_at
    buyer = None
    if buyer_id:
        buyer = declarations.customer(buyer_id, at) or declarations.customer(buyer_id, started_at)
    return InvoiceOrder(
        cause=cause,
        legal_entity=first.legal_entity,
        seller=seller,
        payer=first.payer,
        buyer=buyer,
        currency=first.currency,
        month=cause.split(":")[1] if cause.startswith("month:") else None,
        sessions=ordered,
        recorded_at=at,
        declared_version=declarations.version,
        credits=credited,
    )


class MixedInvoiceError(LedgerError):
    """Sessions of several sellers, buyers or currencies do not fit on one invoice."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"{cause}: sessions of one seller, buyer and currency are needed")
        self.cause = cause


class SellerMissingError(LedgerError):
    """A legal entity with sessions to invoice is not declared."""

    def __init__(self, legal_entity: str) -> None:
        super().__init__(f"legal entity {legal_entity} is not declared, but has sessions to bill")
        self.legal_entity = legal_entity

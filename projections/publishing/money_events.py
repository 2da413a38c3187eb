"""Movements of money as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from ledger.books.feed import FeedEntry
from ledger.payments.movement import BANK, Allotment, MoneyMovement, documents_of
from ledger.payments.recording import movements
from projections.publishing.event_types import (
    ALLOTMENTS_MAX,
    DecisionEvent,
    EventAllotment,
    MoneyBody,
    MoneyMovedEvent,
)
from projections.publishing.making import Numbered, amount, make_event


def money_events(
    connection: Connection[Any], entries: Sequence[FeedEntry], *, source: str
) -> list[DecisionEvent]:
    """Return the events that tell of *entries*, movements, in their order.

    Their key is the first document that they are about, else the legal entity: all that becomes of
    one invoice's money comes in one order.
    """
    numbers = [int(entry.subject) for entry in entries]
    rows = {each.number: each for each in movements(connection, numbers)}
    return [
        make_event(
            MoneyMovedEvent,
            _body(moved),
            numbered=Numbered(source, entry.number),
            key=next(iter(documents_of([moved])), moved.legal_entity),
            decided_at=moved.happened_at,
            sha256=entry.sha256,
        )
        for entry, moved in ((entry, rows[int(entry.subject)]) for entry in entries)
    ]


def _body(moved: MoneyMovement) -> MoneyBody:
    is_bank = moved.source.startswith(BANK)
    is_told = len(moved.allotments) <= ALLOTMENTS_MAX
    return MoneyBody(
        number=moved.number,
        movement=moved.kind.value,
        provider=None if is_bank else moved.source,
        # What a bank's line is called may be what its payer wrote.
        reference=None if is_bank else moved.reference,
        legal_entity=moved.legal_entity,
        currency=moved.currency,
        amount=amount(moved.amount_minor, moved.currency),
        allotments=tuple(_allotment(moved, each) for each in moved.allotments) if is_told else None,
    )


def _allotment(moved: MoneyMovement, allotment: Allotment) -> EventAllotment:
    return EventAllotment(
        account=allotment.account,
        party=allotment.party or None,
        document=allotment.document or None,
        amount=amount(allotment.minor, moved.currency),
    )

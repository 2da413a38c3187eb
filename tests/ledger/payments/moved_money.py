"""Movements of money, made up: one of each kind about an invoice."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.books.accounts import RECEIVABLE
from ledger.payments.movement import (
    CLEARING,
    STRIPE,
    UNMATCHED,
    Allotment,
    MoneyKind,
    MoneyMovement,
    bank_source,
    disputes_account,
    fees_account,
)
from tests.depot import NOON

FEE, DISPUTED = fees_account(STRIPE), disputes_account(STRIPE)
BANK_ACCOUNT = bank_source("DE89")
LATER = NOON + timedelta(days=40)


def moved(
    kind: MoneyKind,
    minor: int,
    *allotments: Allotment,
    reference: str = "pi_1",
    source: str = STRIPE,
    at: datetime = LATER,
) -> MoneyMovement:
    """Return a movement at depot, in euros."""
    return MoneyMovement(
        kind=kind,
        source=source,
        reference=reference,
        legal_entity="depot",
        currency="EUR",
        amount_minor=minor,
        allotments=allotments,
        happened_at=at,
        recorded_by="a test",
    )


def every_kind(number: str, party: str, minor: int) -> list[MoneyMovement]:
    """Return one movement of each kind about an invoice, which is paid in the end."""

    def owed(minor: int) -> Allotment:
        return Allotment(RECEIVABLE, minor, party, number)

    taken = Allotment(DISPUTED, -minor), Allotment(FEE, -15)
    away = Allotment(CLEARING, -9), Allotment(FEE, -1)
    back = Allotment(CLEARING, 9), Allotment(FEE, 1)
    unknown = Allotment(UNMATCHED, minor)
    found = [
        moved(MoneyKind.RECEIVED, minor, owed(minor)),
        moved(MoneyKind.REFUNDED, -1, owed(-1)),
        moved(MoneyKind.REFUND_FAILED, 1, owed(1)),
        moved(MoneyKind.DISPUTED, -minor - 15, *taken),
        moved(MoneyKind.DISPUTE_WON, 1, Allotment(DISPUTED, 1)),
        moved(MoneyKind.DISPUTE_LOST, 0, Allotment(DISPUTED, minor), owed(-minor)),
        moved(MoneyKind.PAID_OUT, -10, *away),
        moved(MoneyKind.PAYOUT_FAILED, 10, *back),
        moved(MoneyKind.BANKED, minor, unknown, source=BANK_ACCOUNT),
        moved(MoneyKind.MATCHED, 0, Allotment(UNMATCHED, -minor), owed(minor), source=BANK_ACCOUNT),
    ]
    return [each._replace(reference=f"{each.kind}_1", about="pi_1") for each in found]

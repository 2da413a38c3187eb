"""How the demo's customers pay: by card or debit, some of them with trouble; others transfer.

The names of methods are the provider's own for trying things out, and behave as it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ledger.payments.provider import PaymentWay

LEGAL_ENTITY: Final = "harbour-charging"
"""Whose account with the provider it is; the other one's customers pay by bank transfer."""


class PayersMethod(NamedTuple):
    """By what a customer pays."""

    way: PaymentWay
    method: str


CARD: Final = PayersMethod(PaymentWay.CARD, "pm_card_visa")
DEBIT: Final = PayersMethod(PaymentWay.SEPA_DEBIT, "pm_sepaDebit")
NO_MONEY: Final = PayersMethod(PaymentWay.CARD, "pm_card_chargeCustomerFail")
"""It is kept for the customer, and says no whenever it is charged."""
DISPUTES: Final = PayersMethod(PaymentWay.CARD, "pm_card_createDispute")
"""It is charged, and its payer takes the money back at once."""

BY_TRANSFER: Final = frozenset({"hanno-ipsen", "nils-otto"})
DECLINED: Final = "femke-groot"
DISPUTING: Final = "ida-jansen"
_OTHERS: Final[Mapping[str, PayersMethod]] = {
    DECLINED: NO_MONEY,
    DISPUTING: DISPUTES,
    "carla-dietz": DEBIT,
    "gesa-harms": DEBIT,
    "kira-lund": DEBIT,
}


def method_of(customer: str) -> PayersMethod | None:
    """Return by what *customer* (its key) pays; None: by transfer."""
    return None if customer in BY_TRANSFER else _OTHERS.get(customer, CARD)

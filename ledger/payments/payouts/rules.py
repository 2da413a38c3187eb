"""What a line of a provider's balance is, by its kind: one table, from kind to how it is booked.

Lines that movements of ours stand behind are held against those. Some follow from a rule. What is
left is nobody's yet: it is booked to `cash:unmatched`, and a person says what it was.

Source of the kinds: Stripe, "Balance transaction types" (the field `type`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.payments.movement import (
    CLEARING,
    MoneyKind,
    fees_account,
    reserves_account,
)
from ledger.payments.provider import BalanceLine


class LineRule(StrEnum):
    """How a line of a payout was booked."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    PAYOUT_FAILED = "payout_failed"
    FEE = "fee"
    """What the provider takes beside single payments."""
    TOP_UP = "top_up"
    """Money from our own bank to our balance with the provider."""
    RESERVE = "reserve"
    """What the provider keeps back for a while, and lets go."""
    UNKNOWN = "unknown"
    """Nothing of ours stands behind it: on `cash:unmatched`."""


class Counterpart(NamedTuple):
    """Which movements stand behind a line that brings money, and one that takes it.

    `is_net`: the provider's fee for it is part of the movement already.
    """

    rule: LineRule
    brings: MoneyKind | None = None
    takes: MoneyKind | None = None
    is_net: bool = False

    def of(self, line: BalanceLine) -> MoneyKind | None:
        """Return the kind of the movements that may stand behind *line*."""
        return self.brings if self.wanted_minor(line) > 0 else self.takes

    def wanted_minor(self, line: BalanceLine) -> int:
        """Return what such a movement raised `cash:PROVIDER` by."""
        return line.net_minor if self.is_net else line.amount_minor


_PAYMENT: Final = Counterpart(LineRule.PAYMENT, brings=MoneyKind.RECEIVED)
_REFUND: Final = Counterpart(LineRule.REFUND, takes=MoneyKind.REFUNDED)
_PAYOUT_FAILED: Final = Counterpart(
    LineRule.PAYOUT_FAILED, brings=MoneyKind.PAYOUT_FAILED, takes=MoneyKind.PAYOUT_FAILED
)
COUNTERPARTS: Final[Mapping[str, Counterpart]] = {
    "charge": _PAYMENT,
    "payment": _PAYMENT,
    "refund": _REFUND,
    "payment_refund": _REFUND,
    "refund_failure": Counterpart(LineRule.REFUND_FAILED, brings=MoneyKind.REFUND_FAILED),
    "adjustment": Counterpart(
        LineRule.DISPUTE, brings=MoneyKind.DISPUTE_WON, takes=MoneyKind.DISPUTED, is_net=True
    ),
    "payout_failure": _PAYOUT_FAILED,
    "payout_cancel": _PAYOUT_FAILED,
}
RULES: Final[Mapping[str, LineRule]] = {
    "stripe_fee": LineRule.FEE,
    "stripe_fx_fee": LineRule.FEE,
    "tax_fee": LineRule.FEE,
    "topup": LineRule.TOP_UP,
    "topup_reversal": LineRule.TOP_UP,
    "reserve_transaction": LineRule.RESERVE,
    "reserved_funds": LineRule.RESERVE,
    "reserve_hold": LineRule.RESERVE,
    "reserve_release": LineRule.RESERVE,
    "payment_network_reserve_hold": LineRule.RESERVE,
    "payment_network_reserve_release": LineRule.RESERVE,
    "payout_minimum_balance_hold": LineRule.RESERVE,
    "payout_minimum_balance_release": LineRule.RESERVE,
}
_DISPUTE_IDS: Final = ("dp_", "du_")
"""Adjustments are many things; the source says whether one is a dispute."""


def counterpart_of(line: BalanceLine) -> Counterpart | None:
    """Return which movements may stand behind *line*; None: none of ours ever does."""
    found = COUNTERPARTS.get(line.kind)
    if found is None or line.source_id is None:
        return None
    if found.rule is LineRule.DISPUTE and not line.source_id.startswith(_DISPUTE_IDS):
        return None
    return found


def rule_account(line: BalanceLine, provider: str) -> tuple[LineRule, str] | None:
    """Return the rule and the account of a line that no movement stands behind; None: no rule."""
    rule = RULES.get(line.kind)
    match rule:
        case LineRule.FEE:
            return rule, fees_account(provider)
        case LineRule.TOP_UP:
            return rule, CLEARING
        case LineRule.RESERVE:
            return rule, reserves_account(provider)
        case _:
            return None

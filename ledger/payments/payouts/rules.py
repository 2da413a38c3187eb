"""What a line of a provider's balance is, by its kind: one table, from kind to how it is booked.

Lines that movements of ours stand behind are held against those. Some follow from a rule. What is
left is nobody's yet: it is booked to `cash:unmatched`, and a person says what it was.

Source of the kinds: Stripe, "Balance transaction types" (the field `type`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.payments.movement import (
    CLEARING,
    MoneyKind,
    fees_account,
    reserves_account,
)
from ledger.payments.provider import PARTIAL_CAPTURE_REVERSAL, BalanceLine


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
    REVERSED = "reversed"
    """It takes back some of a payment's own line in the same payout."""
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
REFUND_FAILED: Final = COUNTERPARTS["refund_failure"]
_DISPUTE_IDS: Final = ("dp_", "du_")
_REFUND_IDS: Final = ("re_", "pyr_")
"""Adjustments are many things; the source says whether one is of a dispute or of a refund."""
_PAYMENT_FAILURES: Final = ("payment_failure_refund", "payment_reversal")
_PAYMENT_KINDS: Final = frozenset(kind for kind, of in COUNTERPARTS.items() if of is _PAYMENT)


def counterpart_of(line: BalanceLine) -> Counterpart | None:
    """Return which movements may stand behind *line*; None: none of ours ever does."""
    source = line.source_id
    if source is None:
        return None
    if line.kind == "adjustment" or line.kind in _PAYMENT_FAILURES:
        if source.startswith(_REFUND_IDS):
            return REFUND_FAILED
        is_dispute = line.kind == "adjustment" and source.startswith(_DISPUTE_IDS)
        return COUNTERPARTS["adjustment"] if is_dispute else None
    return COUNTERPARTS.get(line.kind)


def reversed_charge(line: BalanceLine) -> str | None:
    """Return the charge of whose line *line* takes something back: not captured, or bounced."""
    if line.kind == PARTIAL_CAPTURE_REVERSAL:
        return line.charge_id or line.source_id
    is_bounced = line.kind in _PAYMENT_FAILURES and counterpart_of(line) is None
    return line.source_id if is_bounced else None


def reversed_minor(lines: Iterable[BalanceLine]) -> dict[str, int]:
    """Return what is taken back of each charge that has a line of its own among *lines*."""
    some = [*lines]
    charges = {each.source_id for each in some if each.kind in _PAYMENT_KINDS}
    sums: dict[str, int] = {}
    for each in some:
        charge = reversed_charge(each)
        if charge is not None and charge in charges:
            sums[charge] = sums.get(charge, 0) + each.amount_minor
    return sums


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

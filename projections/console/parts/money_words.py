"""Money in words: what a movement was, and why a line of a bank's statement waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

WAIT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no_reference": "It names no document of ours.",
        "unknown_document": "It names a document that we never issued.",
        "other_currency": "It is in another currency than its document.",
        "other_legal_entity": "It came to the account of another legal entity.",
        "too_little": "It is less than what is open.",
        "too_much": "It is more than what is open.",
        "nothing_to_give_back": "Money went, and nothing says to whom.",
        "taken_back": "The bank took it back, and it never went for what it names.",
        "two_candidates": "It may be for several documents.",
        "undone": "Somebody took back what it was matched with.",
        "part_left": "A part of it is left over.",
    }
)
"""By the reason (`WaitReason`) why a line waits, in English."""
MOVEMENT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "received": "Came in",
        "refunded": "Given back",
        "refund_failed": "Giving back failed",
        "disputed": "Taken back by the bank",
        "dispute_won": "Dispute won",
        "dispute_lost": "Dispute lost",
        "paid_out": "Paid out to the bank",
        "payout_failed": "Payout came back",
        "banked": "On a statement",
        "matched": "Matched by a person",
    }
)
"""By its kind (`MoneyKind`) what a movement was, in English."""
RULE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "payment": "Payment",
        "refund": "Refund",
        "refund_failed": "Refund that failed",
        "dispute": "Dispute",
        "payout_failed": "Payout that came back",
        "fee": "Fee",
        "top_up": "From our own bank",
        "reserve": "Kept back for a while",
        "reversed": "Payment taken back",
        "unknown": "Unmatched",
    }
)
"""By its rule (`LineRule`) as what a line of a payout was booked, in English."""
REQUEST_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "set_up": "Leave to collect",
        "collect": "Collect an invoice",
        "top_up": "Raise a prepaid balance",
        "hold": "Put an amount aside",
        "raise": "Put more aside",
        "capture": "Take the final amount",
        "release": "Let an amount go",
        "refund": "Give back",
        "pay_back": "Pay a prepaid balance back",
    }
)
"""By its kind (`RequestKind`) what a provider was asked for, in English."""
REQUEST_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "new": "Not asked yet",
        "asked": "Asked",
        "open": "Under way at the provider",
        "done": "Done",
        "failed": "Failed",
        "given_up": "Given up",
    }
)
"""By its state (`RequestState`) how it goes with that, in English."""

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

"""What becomes of a partner's CDR, and how bad each thing is that can be found at one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from tariffs.phrases.phrase import Phrase


class CdrVerdict(StrEnum):
    """Whether a CDR is to be paid."""

    ACCEPTED = "accepted"
    FLAGGED = "flagged"
    """It is to be paid, and a person should look at it."""
    DISPUTED = "disputed"
    """It is not to be paid before a person decides."""


_DISPUTED: Final = frozenset(
    {
        "cdr_unreadable",
        "cdr_currency_unknown",
        "cdr_currency_differs",
        "cdr_currency_not_sessions",
        "cdr_net_missing",
        "cdr_negative",
        "cdr_total_differs",
        "cdr_hours_exceed",
        "cdr_duplicate",
        "cdr_token_unknown",
        "cdr_credit_without_original",
        "cdr_credit_not_negating",
        "cdr_credited_before",
    }
)
"""Money that we do not owe, or cannot tell that we do."""
_NOTED: Final = frozenset({"cdr_total_rounded", "cdr_credit_came_first"})
"""Within the tolerance, or only in another order."""
_OF_OTHERS: Final = frozenset({"cdr_told_otherwise"})
"""About another message, nothing of which counts."""


def verdict_of(codes: Sequence[Phrase]) -> CdrVerdict:
    """Return what *codes* come to: the worst of them, ACCEPTED where there are none."""
    found = {each.code for each in codes}
    if found & _DISPUTED:
        return CdrVerdict.DISPUTED
    return CdrVerdict.FLAGGED if found - _NOTED else CdrVerdict.ACCEPTED


def owed_verdict_of(codes: Sequence[Phrase]) -> CdrVerdict:
    """Return what *codes* say of what is owed by the CDR itself, whatever else bears its id."""
    return verdict_of([each for each in codes if each.code not in _OF_OTHERS])

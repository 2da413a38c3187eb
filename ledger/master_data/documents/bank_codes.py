"""Bank accounts by their check digits: IBAN (ISO 13616) and BIC (ISO 9362)."""

from __future__ import annotations

from typing import Final

from stdnum import bic, iban

_WRITTEN_MAX: Final = 60
"""Nobody writes an IBAN, of 34 characters at most, with more blanks than that."""


def is_iban(text: str) -> bool:
    """Whether *text* is an IBAN as its country writes them, with right check digits."""
    return len(text) <= _WRITTEN_MAX and text.isascii() and iban.is_valid(text)


def is_bic(text: str) -> bool:
    """Whether *text* is written as a BIC is; it has no check digits."""
    return len(text) <= _WRITTEN_MAX and text.isascii() and bic.is_valid(text)

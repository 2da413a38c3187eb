"""Creditor references (ISO 11649): a document's number with two check digits, as banks carry it.

WL-2026-000001  ->  RF 47 WL2026000001  ->  "RF47 WL20 2600 0001"
"""

from __future__ import annotations

import re
from typing import Final

_BODY_MAX: Final = 21
_WRITTEN: Final = re.compile(r"RF[0-9]{2}([A-Z0-9]{1,21})", re.ASCII)
_BASE: Final = 36


def creditor_reference(number: str) -> str | None:
    """Return the reference to pay document *number* by; None where it is too long for one."""
    body = "".join(each for each in number.upper() if each.isascii() and each.isalnum())
    if not 0 < len(body) <= _BODY_MAX:
        return None
    return f"RF{98 - _rest(f'{body}RF00'):02d}{body}"


def referred_to(text: str) -> str | None:
    """Return what a creditor reference, in groups or not, refers to; None where it is none."""
    found = _WRITTEN.fullmatch("".join(text.split()).upper())
    if found is None:
        return None
    return found[1] if _rest(f"{found[1]}{found[0][:4]}") == 1 else None


def in_groups(reference: str) -> str:
    """Return a reference as people read it, four characters at a time."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


def _rest(text: str) -> int:
    """Return the remainder of *text* by 97, letters as numbers from 10 on (ISO 7064, MOD 97-10)."""
    return int("".join(str(int(each, _BASE)) for each in text)) % 97

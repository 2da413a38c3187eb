"""Leitweg-IDs: by which German public buyers are addressed, with their check digits.

Coarse address (the state, and more digits), fine address, check digits: 04011000-1234512345-06.
Source: KoSIT, Leitweg-ID, format specification 2.0.2; check digits of ISO/IEC 7064, MOD 97-10.
"""

from __future__ import annotations

import re
from typing import Final

_FORM: Final = re.compile(
    r"(?:0[1-9]|1[0-6]|99)(?:\d|\d{3}|\d{6}|\d{7}|\d{10})?(?:-[0-9A-Z]{1,30})?-\d{2}",
    re.ASCII | re.IGNORECASE,
)
_MODULUS: Final = 97


def has_leitweg_form(text: str) -> bool:
    """Whether *text* is written as a Leitweg-ID is, whatever its check digits."""
    return _FORM.fullmatch(text) is not None


def is_leitweg_id(text: str) -> bool:
    """Whether *text* is a Leitweg-ID with right check digits."""
    if not has_leitweg_form(text):
        return False
    digits = "".join(str(int(each, 36)) for each in text.replace("-", ""))
    return int(digits) % _MODULUS == 1

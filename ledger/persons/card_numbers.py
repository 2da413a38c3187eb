"""Card numbers in texts that others write: found, and masked before anything is kept.

What looks like one: 13 to 19 digits, in groups with spaces, dashes, dots or slashes between them
or in one run, as an issuer numbers its cards, with the right check digit (ISO/IEC 7812-1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_LONG_RUN: Final = re.compile(r"[0-9](?:[\s\-\u2010-\u2015._/]{0,3}[0-9]){12,}")
_GROUP: Final = re.compile(r"[0-9]+")
_FIRST_DIGITS: Final = "23456"
_DIGITS_MIN: Final = 13
_DIGITS_MAX: Final = 19
_ISSUED: Final = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # Diners
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|(?:5[06-9]|6[0-9])[0-9]{11,17}"  # Maestro, Discover, UnionPay
)
_MASK: Final = "[card number]"
NO_CARD_NUMBERS: Final = (
    "that looks like the number of a card, which is kept nowhere: give another reference, "
    "such as the day and the last digits of the receipt"
)
"""What is said to who types one where a reference is wanted."""


def has_card_number(text: str) -> bool:
    """Whether something in *text* looks like a card number."""
    return next(_spots(text), None) is not None


def mask_card_numbers(text: str) -> str:
    """Return *text* with words in place of each card number."""
    kept, position = [], 0
    for start, end in _spots(text):
        kept += [text[position:start], _MASK]
        position = end
    return "".join([*kept, text[position:]])


def _spots(text: str) -> Iterator[tuple[int, int]]:
    """Yield where in *text* card numbers begin and end, from left to right, none in another."""
    for run in _LONG_RUN.finditer(text):
        groups = [
            (found.start() + run.start(), found.end() + run.start(), found.group())
            for found in _GROUP.finditer(run.group())
        ]
        first = 0
        while first < len(groups):
            if (last := _last_group(groups, first)) is None:
                first += 1
                continue
            yield groups[first][0], groups[last][1]
            first = last + 1


def _last_group(groups: list[tuple[int, int, str]], first: int) -> int | None:
    """Return the group with which a card number ends that begins with *first*; None: none does."""
    digits, found = "", None
    if groups[first][2][0] not in _FIRST_DIGITS:
        return None
    for place, (_, _, group) in enumerate(groups[first : first + _DIGITS_MAX], first):
        digits += group
        if len(digits) > _DIGITS_MAX:
            break
        if len(digits) >= _DIGITS_MIN and _ISSUED.fullmatch(digits) and _is_checked(digits):
            found = place
    return found


def _is_checked(digits: str) -> bool:
    doubled = sum(sum(divmod(2 * int(each), 10)) for each in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + doubled) % 10 == 0

"""One spelling for a token, whatever the station made of it."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
MISREAD = frozenset({"", "undefined", "null", "none"})
"""What stations send in place of a token (seen: "UNDEFINED")."""


class TokenHabits(NamedTuple):
    """What a station model makes of tokens: it can only be declared.

    `ignored` are characters that it puts between the digits, such as ": -". `suffix_from` is the
    text with which what it appends begins, as in "12345678_serial"; empty: it appends nothing.
    """

    ignored: str = ""
    suffix_from: str = ""


NO_HABITS: Final = TokenHabits()


def canonical_token(raw: str | None, habits: TokenHabits = NO_HABITS) -> str | None:
    """Return *raw* as tokens are compared: no blanks around it, no case; None when there is none.

    Args:
        raw: The token as the station sent it. Of 1.6 (CiString20Type) and 2.x (identifierString)
            the letters from A to Z are one in either case. Tokens have no others; one that has
            is another token in another case or Unicode form: "SS" must not pay for "ß".
        habits: What the station's model makes of tokens.
    """
    if raw is None:
        return None
    token = _folded(raw.strip())
    if habits.suffix_from:
        # A token is never its suffix alone.
        token = token[:1] + token[1:].partition(_folded(habits.suffix_from))[0]
    if habits.ignored:
        token = token.translate({ord(sign): None for sign in _folded(habits.ignored)})
    token = token.strip()
    return None if token in MISREAD else token


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)

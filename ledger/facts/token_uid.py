"""One spelling for a token, whatever the station made of it."""

from __future__ import annotations

from typing import Final, NamedTuple

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
        raw: The token as the station sent it. 1.6's CiString20Type is case-insensitive.
        habits: What the station's model makes of tokens.
    """
    if raw is None:
        return None
    token = raw.strip().casefold()
    if habits.suffix_from:
        # A token is never its suffix alone.
        token = token[:1] + token[1:].partition(habits.suffix_from.casefold())[0]
    if habits.ignored:
        token = token.translate({ord(sign): None for sign in habits.ignored.casefold()})
    token = token.strip()
    return None if token in MISREAD else token

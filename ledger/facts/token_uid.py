"""One spelling for a token, whatever the station made of it."""

from __future__ import annotations

MISREAD = frozenset({"", "undefined", "null", "none"})
"""What stations send in place of a token (seen: "UNDEFINED")."""


def canonical_token(raw: str | None, *, ignored: str = "") -> str | None:
    """Return *raw* as tokens are compared: no blanks around it, no case; None when there is none.

    Args:
        raw: The token as the station sent it. 1.6's CiString20Type is case-insensitive.
        ignored: Characters that a station model puts between the digits, such as ": -".
    """
    if raw is None:
        return None
    token = raw.strip().casefold()
    if ignored:
        token = token.translate({ord(sign): None for sign in ignored})
    return None if token in MISREAD else token

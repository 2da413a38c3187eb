"""How a token stands in the header: in Base64, or as it is with who does not write it so.

Source: OCPI 2.2.1, 4.1.1: Base64 (RFC 4648, section 4) of the token's UTF-8. OCPI 2.1.1 and many of
2.2 send it as it is. The specification's own example has a line feed inside.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from roaming_ocpi.errors import RoamingError

TOKEN_MAX: Final = 64
"""Characters of a token. Source: OCPI 2.1.1, 2.2.1 and 2.3.0, credentials, token: string(64)."""
_TOKEN: Final = re.compile(r"[!-~]{1,64}", re.ASCII)


class UnfitTokenError(RoamingError):
    """What is given for a token and cannot be one; it is not repeated."""

    def __init__(self) -> None:
        super().__init__(
            f"a token has 1 to {TOKEN_MAX} printable characters of ASCII without a space"
        )


def checked_token(token: object) -> str:
    """Return *token* as it is.

    Raises:
        UnfitTokenError: If it is none. Source: OCPI 2.3.0, credentials, token.
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise UnfitTokenError
    return token


def spelt_token(token: str, *, is_plain: bool) -> str:
    """Return *token* as it stands in the header Authorization, behind "Token "."""
    return token if is_plain else base64.b64encode(token.encode()).decode()


def decoded_token(spelt: str) -> str | None:
    """Return the token that *spelt* is in Base64, None where it is none."""
    try:
        token = base64.b64decode(spelt.encode("ascii"), validate=True).decode("ascii")
    except (UnicodeError, binascii.Error, ValueError):
        return None
    token = token.rstrip("\r\n")
    return token if _TOKEN.fullmatch(token) else None

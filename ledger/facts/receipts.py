"""How the receipts that we number are called: "R-812"."""

from __future__ import annotations

import re
from typing import Final

_ID: Final = re.compile(r"[Rr]-([0-9]{1,18})", re.ASCII)


def receipt_id(number: int) -> str:
    """Return the id of the receipt with *number*."""
    return f"R-{number}"


def receipt_number(text: str) -> int | None:
    """Return the number in a receipt's id, None for what is none of ours."""
    found = _ID.fullmatch(text.strip())
    return int(found[1]) if found else None

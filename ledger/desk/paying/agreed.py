"""What somebody agreed to, as they read it: what is booked is that, or nothing is."""

from __future__ import annotations

import hashlib

from ledger.errors import LedgerError
from tariffs.model.canonical import canonical_json


def digest_of(*read: object) -> str:
    """Return what a form brings back of what was read, as hexadecimal SHA-256."""
    return hashlib.sha256(canonical_json(list(read))).hexdigest()


def check_agreed(agreed: str | None, digest: str) -> None:
    """Refuse what is not what was read; *agreed* None: nobody read it before.

    Raises:
        ReadOtherwiseError: If it came to something else.
    """
    if agreed is not None and agreed != digest:
        raise ReadOtherwiseError


class ReadOtherwiseError(LedgerError):
    """What somebody read and agreed to is not what would be booked by now."""

    def __init__(self) -> None:
        super().__init__(
            "what it comes to has changed since you looked: nothing was booked, look at it again"
        )

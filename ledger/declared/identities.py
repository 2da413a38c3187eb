"""How stations' identities are compared."""

from __future__ import annotations


def canonical(name: str) -> str:
    """Return *name* as identities are compared: no outer blanks, no case (quirk 31)."""
    return name.strip().casefold()

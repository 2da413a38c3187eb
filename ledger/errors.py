"""The root of what this package raises; each leaf stands beside the code that raises it."""

from __future__ import annotations


class LedgerError(Exception):
    """Something that the ledger refuses."""

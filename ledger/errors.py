"""The root of what this package raises; each leaf stands beside the code that raises it."""

from __future__ import annotations

from tariffs.phrases.phrase import Phrase


class LedgerError(Exception):
    """Something that the ledger refuses. `said` is why, where a decision keeps it."""

    said: Phrase | None = None

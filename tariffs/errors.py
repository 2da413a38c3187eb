"""The one root of everything that pricing refuses."""

from __future__ import annotations

from tariffs.phrases.english import ENGLISH
from tariffs.phrases.phrase import Phrase


class TariffError(Exception):
    """Something in a tariff, a usage or a policy cannot be priced.

    `said` is why, where a session's pricing is refused: a decision keeps it. Elsewhere the message
    is made at once, for whoever gave us the file.
    """

    said: Phrase | None = None

    def __str__(self) -> str:
        """Return why, in words."""
        return super().__str__() if self.said is None else ENGLISH.words(self.said)

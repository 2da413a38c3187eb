"""A document that is refused, with every reason; and the port by which others refuse one, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.errors import LedgerError
from ledger.invoices.checks.english import ENGLISH
from ledger.invoices.document import InvoiceDocument
from ledger.rating.decisions import SessionRated
from tariffs.phrases.phrase import Phrase


class DocumentCheck(Protocol):
    """What looks at a document before it is saved, with the number that it would have."""

    def __call__(self, document: InvoiceDocument, sessions: Sequence[SessionRated], /) -> None:
        """Return if nothing is wrong with *document* over *sessions*, in its order.

        Raises:
            DocumentRefusedError: If something is; this document is not issued.
            CheckMissingError: If it cannot look; then none is.
        """


class DocumentRefusedError(LedgerError):
    """A document must not be issued as it is. It took no number."""

    def __init__(self, problems: Sequence[Phrase]) -> None:
        super().__init__(" ".join(map(ENGLISH.words, problems)))
        self.problems = tuple(problems)


class CheckMissingError(LedgerError):
    """What has to look at documents cannot: no document is issued until it can."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no document can be issued, for none can be checked: {what}")
        self.what = what

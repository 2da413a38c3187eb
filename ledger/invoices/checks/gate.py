"""The gate: our own exact checks, then what else is to look; each content is looked at once."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from ledger.invoices.checks.document_checks import problems_of
from ledger.invoices.checks.refusal import DocumentCheck, DocumentRefusedError
from ledger.invoices.document import InvoiceDocument
from ledger.invoices.order import InvoiceOrder
from tariffs.model.canonical import canonical_json
from tariffs.phrases.phrase import Phrase

_REMEMBERED_MAX: Final = 20_000
"""So many contents that passed, and as many that did not; a batch has a hundred."""


class DocumentGate:
    """Lets documents through that nothing is wrong with, and says of the others why not.

    What passed is known by the hash of its bytes: a save that was lost to another issuer asks again
    only for what has another number now. What was refused is known whatever its number.
    """

    def __init__(self, check: DocumentCheck | None = None) -> None:
        """*check* looks after our own checks, at what these let through."""
        self._check = check
        self._passed: dict[bytes, tuple[Phrase, ...]] = {}
        self._refused: dict[bytes, tuple[Phrase, ...]] = {}

    def let_through(self, order: InvoiceOrder, document: InvoiceDocument, content: bytes) -> None:
        """Return if *document*, which *order* made and whose bytes are *content*, may be issued.

        Raises:
            DocumentRefusedError: If it must not.
            CheckMissingError: If that cannot be said of any document now.
        """
        name = sha256(content).digest()
        if name in self._passed:
            return
        if self._refused and (known := self._refused.get(_numberless(order, document))):
            raise DocumentRefusedError(known)
        try:
            self._look(order, document)
        except DocumentRefusedError as refused:
            _remember(self._refused, _numberless(order, document), refused.problems)
            raise
        _remember(self._passed, name, ())

    def _look(self, order: InvoiceOrder, document: InvoiceDocument) -> None:
        before = order.credits.before if order.credits else ()
        problems = problems_of(document, order.sessions, before)
        if problems:
            raise DocumentRefusedError(problems)
        if self._check is not None:
            self._check(document, order.sessions)


def _numberless(order: InvoiceOrder, document: InvoiceDocument) -> bytes:
    """Return the hash of *document* as if it had the first number of its format."""
    number = order.number(1, document.issued_on)
    return sha256(canonical_json(replace(document, number=number))).digest()


def _remember(
    known: dict[bytes, tuple[Phrase, ...]], name: bytes, found: tuple[Phrase, ...]
) -> None:
    known[name] = found
    if len(known) > _REMEMBERED_MAX:
        # The oldest: a dict keeps the order in which its keys came.
        del known[next(iter(known))]

"""The check before the issue: what will be embedded passes the official rules.

It is asked with the number that the series gives; it closes where nobody can judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from ledger.database import connect
from ledger.invoices.checks.refusal import CheckMissingError, DocumentRefusedError
from ledger.invoices.document import InvoiceDocument
from ledger.rating.decisions import SessionRated
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.problems import (
    NotElectronicError,
    RuleProblem,
    ValidatorMissingError,
)
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.keeping.issued import shown_of
from tariffs.phrases.phrase import Phrase, phrase


class ElectronicCheck:
    """Judges documents for one issuer: a `DocumentCheck`. Close it after use."""

    def __init__(self, dsn: str, validator: Validator | None = None) -> None:
        """Connect to *dsn*, which knows who buyers are."""
        self._connection: Connection[Any] = connect(dsn)
        self._validator = validator or Validator()

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def __call__(self, document: InvoiceDocument, sessions: Sequence[SessionRated], /) -> None:
        """Return if *document* may be issued, as far as EN 16931 is concerned.

        One whose taxes are no VAT has no electronic invoice that could be wrong.

        Raises:
            DocumentRefusedError: If it breaks rules, with all of them.
            CheckMissingError: If nobody can say.
        """
        sight = shown_of(self._connection, document, sessions)
        if not is_electronic(sight):
            return
        try:
            problems = self._validator.problems(cii(sight))
        except NotElectronicError as error:
            problems = error.problems
        except ValidatorMissingError as error:
            raise CheckMissingError(error.why) from error
        if problems:
            raise DocumentRefusedError([_said(each) for each in problems])


def _said(problem: RuleProblem) -> Phrase:
    return phrase("official_rule_broken", rule=problem.rule, told=problem.message)

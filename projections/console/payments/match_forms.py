"""What is typed about a line of a statement, as a wish and back: in an address, and in a form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.desk.paying.match_plans import MatchWish, parse_documents
from projections.console.page import ConsolePage
from projections.console.parts.typed_form import TypedForm
from projections.errors import ProjectionError

DOCUMENTS_MAX: Final = 200
_TEXT_MAX: Final = 10_000
_BETWEEN: Final = re.compile(r"[\s;]+|,(?=\s|$)")
# As many write an amount: 12,50. Who writes 1,000 may mean a thousand, and is asked.
_COMMA: Final = re.compile(r":(\d{1,15}),(\d{2})$", re.ASCII)


class TooManyDocumentsError(ProjectionError):
    """One line is to be for more documents than a page shows."""

    def __init__(self) -> None:
        super().__init__(f"one match is for at most {DOCUMENTS_MAX} documents")


class TypedMatch(NamedTuple):
    """What stands in the fields of a match, as it was typed."""

    documents: str = ""
    balance: str = ""
    account: str = ""
    is_returned: bool = False
    is_undone: bool = False

    @property
    def is_made(self) -> bool:
        """Whether anything is said at all."""
        return self != TypedMatch()

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """Return the fields by which a form says the same again."""
        said = (
            ("documents", self.documents),
            ("balance", self.balance),
            ("account", self.account),
            ("returned", "1" if self.is_returned else ""),
            ("undo", "1" if self.is_undone else ""),
        )
        return [(name, value) for name, value in said if value]

    def wish(self, line: str) -> MatchWish:
        """Return what is meant.

        Raises:
            UnfitDocumentError: If what should be a document is none.
            TooManyDocumentsError: If there are very many.
        """
        named = [each for each in _BETWEEN.split(self.documents[:_TEXT_MAX]) if each]
        if len(named) > DOCUMENTS_MAX:
            raise TooManyDocumentsError
        return MatchWish(
            line,
            parse_documents([_COMMA.sub(r":\1.\2", each) for each in named]),
            balance=self.balance or None,
            account=self.account or None,
            is_returned=self.is_returned,
            is_undone=self.is_undone,
        )


def typed_in(given: ConsolePage | TypedForm) -> TypedMatch:
    """Return what an address or a form says."""
    of = given.of if isinstance(given, TypedForm) else given.address.of
    return TypedMatch(
        of("documents"), of("balance"), of("account"), bool(of("returned")), bool(of("undo"))
    )


def typed_as(wish: MatchWish) -> TypedMatch:
    """Return how a wish would have been typed."""
    return TypedMatch(
        " ".join(map(_document, wish.documents)),
        wish.balance or "",
        wish.account or "",
        wish.is_returned,
        wish.is_undone,
    )


def _document(named: tuple[str, Decimal | None]) -> str:
    number, amount = named
    return number if amount is None else f"{number}:{amount:f}"

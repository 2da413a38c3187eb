"""What a line that waits may be for: shown to a person with why, and never booked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.payments.bank.details import LineDetails
from ledger.payments.bank.document_names import DocumentNames
from ledger.payments.bank.lines import BankLine, details_of_lines, waiting_lines
from ledger.payments.bank.matching import named_documents
from ledger.payments.bank.standing import MatchStanding, standing_of

_PROPOSALS_MAX = 10
_OPEN_WITH_AMOUNT: LiteralString = """
SELECT currency, minor, array(
    SELECT number FROM open_invoice AS open
    WHERE open.legal_entity = %(legal_entity)s AND open.currency = wanted.currency
        AND open_minor = minor ORDER BY due_on, number LIMIT %(limit)s)
FROM (SELECT DISTINCT * FROM unnest(%(currencies)s::text[], %(amounts)s::bigint[])
    AS each (currency, minor)) AS wanted
"""


class ProposalReason(StrEnum):
    """Why something is proposed."""

    NAMED = "named"
    """Its number stands there; the amount is another, or it is somebody else's too."""
    ALIKE = "alike"
    """What stands there looks like its number: O for 0, blanks, no prefix."""
    AMOUNT = "amount"
    """A payout of that amount is under way."""
    OPEN = "open"
    """So much is open of it."""


class MatchProposal(NamedTuple):
    """What may be meant; `open_minor` is open of it, below 0: to be given back."""

    document: str
    open_minor: int
    why: ProposalReason


class WaitingLine(NamedTuple):
    """A line on the work list. `details` None: its payer was erased."""

    line: BankLine
    details: LineDetails | None
    proposals: tuple[MatchProposal, ...]


def work_list(connection: Connection[Any], declared: Declarations, limit: int) -> list[WaitingLine]:
    """Return what waits for a person, the oldest first, each with what it may be for."""
    return with_proposals(connection, declared, waiting_lines(connection, limit))


def with_proposals(
    connection: Connection[Any], declared: Declarations, lines: Sequence[BankLine]
) -> list[WaitingLine]:
    """Return *lines*, each with what it may be for."""
    details = details_of_lines(connection, lines)
    found: dict[str, tuple[MatchProposal, ...]] = {}
    for legal_entity in sorted({line.legal_entity for line in lines}):
        those = [line for line in lines if line.legal_entity == legal_entity]
        found |= _proposed(connection, declared, legal_entity, those, details)
    return [WaitingLine(line, details.get(line.line), found[line.line]) for line in lines]


def _proposed(
    connection: Connection[Any],
    declared: Declarations,
    legal_entity: str,
    lines: Sequence[BankLine],
    details: dict[str, LineDetails],
) -> dict[str, tuple[MatchProposal, ...]]:
    names = DocumentNames(declared, legal_entity)
    written = {line.line: details[line.line].written() for line in lines if line.line in details}
    sure = {name: named_documents(texts, names) for name, texts in written.items()}
    alike = {name: names.alike(texts) for name, texts in written.items()}
    wanted = {number for each in (*sure.values(), *alike.values()) for number in each}
    standing = standing_of(connection, wanted, legal_entity)
    owed = _open_with_amount(connection, legal_entity, lines)
    return {
        line.line: tuple(
            _each(
                standing,
                line,
                sure.get(line.line, []),
                alike.get(line.line, []),
                owed.get((line.currency, line.left_minor), ()),
            )
        )[:_PROPOSALS_MAX]
        for line in lines
    }


def _open_with_amount(
    connection: Connection[Any], legal_entity: str, lines: Sequence[BankLine]
) -> dict[tuple[str, int], Sequence[str]]:
    """Return by currency and amount the documents of which just so much is open, not too many."""
    asked = {
        "legal_entity": legal_entity,
        "currencies": [line.currency for line in lines],
        "amounts": [line.left_minor for line in lines],
        "limit": _PROPOSALS_MAX,
    }
    rows = connection.execute(_OPEN_WITH_AMOUNT, asked)
    return {(currency, minor): numbers for currency, minor, numbers in rows}


def _each(
    standing: MatchStanding,
    line: BankLine,
    sure: Sequence[str],
    alike: Sequence[str],
    owed: Sequence[str],
) -> Iterator[MatchProposal]:
    shown = set[str]()
    for numbers, why in ((sure, ProposalReason.NAMED), (alike, ProposalReason.ALIKE)):
        for document in standing.documents_of(numbers)[0]:
            if document.document not in shown and document.currency == line.currency:
                shown.add(document.document)
                yield MatchProposal(document.document, document.open_minor, why)
    for payout in standing.awaited(line.currency, line.left_minor):
        yield MatchProposal(payout.payout_id, payout.under_way_minor, ProposalReason.AMOUNT)
    for number in owed:
        if number not in shown:
            yield MatchProposal(number, line.left_minor, ProposalReason.OPEN)

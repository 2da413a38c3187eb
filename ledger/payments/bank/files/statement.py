"""A bank statement as its file says it, whatever the file's form; and whether it adds up."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.errors import LedgerError
from ledger.persons.card_numbers import mask_card_numbers
from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text

LINES_MAX: Final = 1_000_000
"""Of a file: what comes in one transaction is held in memory."""
TOTAL_MINOR_MAX: Final = 10**16
"""Of a statement: sums over many statements are whole numbers of 64 bits."""
TEXTS_MAX: Final = 40
TEXT_MAX: Final = 1_000
"""Of a line, and characters of each; ISO 20022 allows 140 and 500."""


class StatementForm(StrEnum):
    """What kind of file a statement came in."""

    STATEMENT = "camt.053"
    REPORT = "camt.052"
    """What the bank tells during the day; its lines come again in the statement."""
    CSV = "csv"


class EntryPart(NamedTuple):
    """One payment of an entry: `amount_minor` is what the account rose by.

    `payer` and `payer_account` are the other side, whichever way the money went. `texts` are what
    it wrote, `references` what stands in fields of their own: creditor references, end-to-end ids,
    numbers of documents.
    """

    amount_minor: int
    payer: str = ""
    payer_account: str = ""
    texts: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


class StatementEntry(NamedTuple):
    """What was booked at once: one payment, or several. `amount_minor` is the sum of its parts.

    `bank_reference` is the bank's own name for it, "" where it gives none; `balance_minor` the
    account's balance after it, where the file says so. `is_reversal`: it takes an earlier one back.
    """

    amount_minor: int
    booked_on: date
    value_on: date
    parts: tuple[EntryPart, ...]
    bank_reference: str = ""
    is_reversal: bool = False
    balance_minor: int | None = None


class BankStatement(NamedTuple):
    """What a bank says of an account; in minor units of `currency`.

    `account` is an IBAN without blanks, or what the bank calls it. `page` counts from 1.
    `left_out`: entries that are not booked yet, of no amount, or without a name in a report.
    """

    form: StatementForm
    account: str
    currency: str
    statement_id: str
    entries: tuple[StatementEntry, ...]
    opening_minor: int | None = None
    closing_minor: int | None = None
    page: int = 1
    left_out: int = 0

    @property
    def title(self) -> str:
        """Return what errors call it."""
        page = f", page {self.page}" if self.page > 1 else ""
        return f"statement {self.statement_id!r} of {self.account}{page}"

    @property
    def moved_minor(self) -> int:
        """What its entries come to."""
        return sum(entry.amount_minor for entry in self.entries)


def check_balances(statement: BankStatement) -> None:
    """Refuse a statement that does not add up; a report may have no balances.

    Raises:
        UnbalancedStatementError: If opening + entries is not closing.
        UnreadableStatementError: If a statement lacks one of the two.
    """
    opening, closing = statement.opening_minor, statement.closing_minor
    if sum(abs(entry.amount_minor) for entry in statement.entries) > TOTAL_MINOR_MAX:
        why = "its entries come to more than any bank moves"
        raise UnreadableStatementError(statement.title, why)
    if opening is None or closing is None:
        if statement.form is StatementForm.STATEMENT:
            which = "opening balance (OPBD, PRCD)" if opening is None else "closing balance (CLBD)"
            why = f"it has no {which}, so nothing says whether it is whole"
            raise UnreadableStatementError(statement.title, why)
        return
    if opening + statement.moved_minor != closing:
        raise UnbalancedStatementError(statement, opening, closing)


class UnreadableStatementError(LedgerError):
    """A file is no statement that can be relied on: *why*, and at which *spot* of it.

    Both may quote the file: no card's number is shown for that.
    """

    def __init__(self, spot: str, why: str) -> None:
        super().__init__(mask_card_numbers(f"{spot}: {why}"))


class UnbalancedStatementError(UnreadableStatementError):
    """Opening balance and entries do not come to the closing balance."""

    def __init__(self, statement: BankStatement, opening_minor: int, closing_minor: int) -> None:
        moved = statement.moved_minor
        self.off_minor = opening_minor + moved - closing_minor
        exponent = currency_exponent(statement.currency)
        opens, moves, comes, closes, off = (
            minor_text(minor, exponent)
            for minor in (
                opening_minor,
                moved,
                opening_minor + moved,
                closing_minor,
                self.off_minor,
            )
        )
        why = (
            f"it does not add up: it opens with {opens}, its {len(statement.entries)} entries come "
            f"to {moves}, which makes {comes}, but it closes with {closes} {statement.currency}: "
            f"{off} off. Nothing of it was booked; ask the bank for the whole file"
        )
        super().__init__(statement.title, why)

"""Which entries of a statement are new: statements overlap, come again, and in two forms.

| what is there already | what it is in this file | is |
|---|---|---|
| an entry of that name, which the bank gave, or with that balance | the same | known |
| the like in the statement just before or after (their balances meet) | another one | new |
| the like in a statement that is not next to this one | nobody can tell | refused |
| in a CSV file without names and balances: the like on that day | the same | known |
| other entries on that day, of a CSV file where this is none, or the other way | - | refused |

A CSV file without names and balances must have whole days: an entry of a day of it that is there,
and not in the file, is refused too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString

from psycopg import Connection

from ledger.payments.bank.files.statement import (
    BankStatement,
    StatementForm,
    UnreadableStatementError,
)
from ledger.payments.bank.identity import NamedEntry, apart
from ledger.payments.movement import bank_source

_IMPORTED: LiteralString = """
SELECT FROM bank_statement WHERE account = %s AND currency = %s AND digest = %s
"""
_KNOWN: LiteralString = """
SELECT DISTINCT entry, opening_minor, closing_minor
FROM bank_line JOIN bank_statement ON bank_statement.number = bank_line.statement
WHERE entry = ANY (%s)
"""
_ON_DAYS: LiteralString = """
SELECT DISTINCT entry, booked_on, form = 'csv'
FROM bank_line JOIN bank_statement ON bank_statement.number = bank_line.statement
WHERE source = %s AND bank_line.currency = %s AND booked_on = ANY (%s)
"""
_Balances = tuple[int | None, int | None]


def new_entries(
    connection: Connection[Any],
    statement: BankStatement,
    entries: Sequence[NamedEntry],
    digest: str,
) -> list[NamedEntry] | None:
    """Return which of *entries* are new; None where the statement was imported before.

    Raises:
        UnreadableStatementError: If nobody can tell, by the table above.
    """
    asked = (statement.account, statement.currency, digest)
    if connection.execute(_IMPORTED, asked).fetchone() is not None:
        return None
    _check_days(connection, statement, entries)
    known: dict[str, list[_Balances]] = {}
    for entry, *balances in connection.execute(_KNOWN, ([each.name for each in entries],)):
        known.setdefault(entry, []).append((balances[0], balances[1]))
    fresh = [each for each in entries if each.name not in known]
    if statement.form is StatementForm.CSV:
        return fresh
    like = [each for each in entries if each.name in known and not each.is_sure]
    for each in like:
        if not all(_is_next(statement, balances) for balances in known[each.name]):
            raise RepeatedEntryError(statement, each.entry.booked_on)
    return fresh + apart(like, digest)


def _is_next(statement: BankStatement, other: _Balances) -> bool:
    opening, closing = other
    if None in (opening, closing) or opening == statement.opening_minor:
        return False
    return closing == statement.opening_minor or opening == statement.closing_minor


def _check_days(
    connection: Connection[Any], statement: BankStatement, entries: Sequence[NamedEntry]
) -> None:
    is_csv = statement.form is StatementForm.CSV
    names = {each.name for each in entries}
    needs_whole_days = is_csv and not all(each.is_sure for each in entries)
    days = sorted({each.entry.booked_on for each in entries})
    asked = (bank_source(statement.account), statement.currency, days)
    for name, day, was_csv in connection.execute(_ON_DAYS, asked):
        if name not in names and was_csv != is_csv:
            raise OtherFormError(statement, day)
        if name not in names and needs_whole_days:
            raise PartOfDayError(statement, day)


class RepeatedEntryError(UnreadableStatementError):
    """An entry without a name is like one of another statement, and may be it or not."""

    def __init__(self, statement: BankStatement, day: date) -> None:
        why = (
            f"an entry of {day} to which the bank gives no name (AcctSvcrRef) is like one that was "
            "imported with a statement which is not next to this one: it may be the same. Import "
            "statements that follow one another"
        )
        super().__init__(statement.title, why)


class OtherFormError(UnreadableStatementError):
    """A day was imported in another form of file, in which its entries have other names."""

    def __init__(self, statement: BankStatement, day: date) -> None:
        why = (
            f"{day} was imported from another form of file (CSV, or CAMT), where its entries have "
            "other names, and would be booked again. Go on with that form, or from the day after"
        )
        super().__init__(statement.title, why)


class PartOfDayError(UnreadableStatementError):
    """A file without names and balances lacks what was imported of one of its days."""

    def __init__(self, statement: BankStatement, day: date) -> None:
        why = (
            f"{day} was imported with entries that are not in this file, so it has not all of that "
            "day: export whole days, or declare a column `bank_reference` or `balance`"
        )
        super().__init__(statement.title, why)

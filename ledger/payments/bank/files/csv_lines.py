"""Statements as CSV, by a declared layout."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from io import StringIO
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple

from ledger.payments.bank.files.amounts import minor_of
from ledger.payments.bank.files.csv_layout import (
    CsvDays,
    CsvLayout,
    Decimals,
    day_of,
    days_of,
    decimal_of,
    decoded,
    delimiter_of,
    plain_amount,
)
from ledger.payments.bank.files.statement import (
    LINES_MAX,
    TEXT_MAX,
    TEXTS_MAX,
    BankStatement,
    EntryPart,
    StatementEntry,
    StatementForm,
    UnreadableStatementError,
    check_balances,
)

_BYTES_MAX: Final = 256 << 20
_NO_TITLES: Final = "is its first line that of the titles? (skip_lines)"


class _Row(NamedTuple):
    line: int
    values: dict[str, str]


class _Ways(NamedTuple):
    days: CsvDays
    decimal: Decimals


def read_csv(file: BinaryIO, layout: CsvLayout, source: str) -> BankStatement:
    """Return the statement that a file is; where it has balances, each line's fits the next.

    Raises:
        UnreadableStatementError: If anything in it cannot be relied on.
    """
    content = file.read(_BYTES_MAX + 1)
    if len(content) > _BYTES_MAX:
        why = f"it has more than {_BYTES_MAX >> 20} MiB: split it"
        raise UnreadableStatementError(source, why)
    if problems := layout.problems():
        spot = f"the layout of {source}"
        raise UnreadableStatementError(spot, "; ".join(problems))
    rows = _rows(decoded(content, layout, source), layout, source)
    ways = _ways(rows, layout, source)
    _check_went(rows, layout, ways, source)
    entries = [_entry(row, layout, ways, source) for row in rows]
    kept = _in_order([each for each in entries if each.amount_minor], source)
    opening = closing = None
    if kept and kept[0].balance_minor is not None:
        opening, closing = kept[0].balance_minor - kept[0].amount_minor, kept[-1].balance_minor
    days = sorted(each.booked_on for each in kept)
    statement = BankStatement(
        form=StatementForm.CSV,
        account="".join(layout.account.split()).upper(),
        currency=layout.currency,
        statement_id=f"{days[0]}/{days[-1]}" if days else "empty",
        entries=tuple(kept),
        opening_minor=opening,
        closing_minor=closing,
        left_out=len(entries) - len(kept),
    )
    check_balances(statement)
    return statement


def _rows(text: str, layout: CsvLayout, source: str) -> list[_Row]:
    lines = text.splitlines(keepends=True)
    end = max(len(lines) - layout.last_lines, 0)
    body = lines[layout.skip_lines : end]
    if not body or not body[0].strip():
        raise UnreadableStatementError(source, "there are no titles of columns in it")
    delimiter = delimiter_of(body[0].rstrip("\r\n"), layout, source)
    reader = csv.reader(StringIO("".join(body), newline=""), delimiter=delimiter, strict=True)
    rows, titles = list[_Row](), list[str]()
    try:
        for row in reader:
            line = layout.skip_lines + reader.line_num
            if not titles:
                titles = _titles([each.strip() for each in row], layout, source)
            elif any(each.strip() for each in row):
                if len(row) != len(titles):
                    why = f"{len(row)} columns, and there are {len(titles)} titles"
                    spot = f"{source}:{line}"
                    raise UnreadableStatementError(spot, why)
                values = (each.strip() for each in row)
                rows.append(_Row(line, dict(zip(titles, values, strict=True))))
            if len(rows) > LINES_MAX:
                why = f"it has more than {LINES_MAX} lines: split it"
                raise UnreadableStatementError(source, why)
    except csv.Error as error:
        spot = f"{source}:{layout.skip_lines + reader.line_num}"
        why = f"no CSV: {error}"
        raise UnreadableStatementError(spot, why) from error
    return rows


def _titles(titles: list[str], layout: CsvLayout, source: str) -> list[str]:
    wanted = layout.columns.titles()
    if missing := [each for each in wanted if each not in titles]:
        # What are no titles is somebody's payment.
        has = f"it has {', '.join(titles)[:400]}" if len(missing) < len(wanted) else _NO_TITLES
        why = f"it has no column {', '.join(missing)}; {has}"
        raise UnreadableStatementError(source, why)
    if twice := [each for each in wanted if titles.count(each) > 1]:
        why = f"two columns are called {twice[0]}"
        raise UnreadableStatementError(source, why)
    return titles


def _ways(rows: Sequence[_Row], layout: CsvLayout, source: str) -> _Ways:
    columns = layout.columns
    days = [columns.booked_on, columns.value_on]
    amounts = [columns.amount, columns.came, columns.went, columns.balance]
    return _Ways(_sniffed(rows, days, layout, source), _decimals(rows, amounts, layout, source))


def _check_went(rows: Sequence[_Row], layout: CsvLayout, ways: _Ways, source: str) -> None:
    """Refuse a file whose column of what went has both signs: one of them would be what came."""
    texts = _values(rows, [layout.columns.went])
    written = [plain for each in texts if (plain := plain_amount(each, ways.decimal))]
    moved = {each.startswith("-") for each in written if each.strip("-0.")}
    if len(moved) > 1:
        why = f"amounts in {layout.columns.went} are above 0 and below: nothing says which went"
        raise UnreadableStatementError(source, why)


def _sniffed(
    rows: Sequence[_Row], titles: Sequence[str | None], layout: CsvLayout, source: str
) -> CsvDays:
    texts = _values(rows, titles)
    return days_of(texts, layout, source) if texts else CsvDays.ISO


def _decimals(
    rows: Sequence[_Row], titles: Sequence[str | None], layout: CsvLayout, source: str
) -> Decimals:
    texts = _values(rows, titles)
    return decimal_of(texts, layout, source) if texts else "."


def _values(rows: Sequence[_Row], titles: Sequence[str | None]) -> list[str]:
    return [row.values[title] for row in rows for title in titles if title and row.values[title]]


def _entry(row: _Row, layout: CsvLayout, ways: _Ways, source: str) -> StatementEntry:
    columns, values, spot = layout.columns, row.values, f"{source}:{row.line}"
    if columns.currency is not None and values[columns.currency] != layout.currency:
        why = f"an amount in another currency than the account's, {layout.currency}"
        raise UnreadableStatementError(spot, why)
    amount_minor = _moved(row, layout, ways, spot)
    booked_on = _day(values[columns.booked_on], ways.days, spot)
    valued = values[columns.value_on] if columns.value_on else ""
    balance = None
    if columns.balance is not None:
        balance = _minor(values[columns.balance], layout, ways, spot)
    part = EntryPart(
        amount_minor=amount_minor,
        payer=_value(values, columns.payer),
        payer_account="".join(_value(values, columns.payer_account).split()),
        texts=_listed(values, columns.texts),
        references=_listed(values, columns.references),
    )
    return StatementEntry(
        amount_minor=amount_minor,
        booked_on=booked_on,
        value_on=_day(valued, ways.days, spot) if valued else booked_on,
        parts=(part,),
        bank_reference=_value(values, columns.bank_reference)[:100],
        balance_minor=balance,
    )


def _moved(row: _Row, layout: CsvLayout, ways: _Ways, spot: str) -> int:
    columns, values = layout.columns, row.values
    if columns.amount is not None:
        return _minor(values[columns.amount], layout, ways, spot)
    came, went = (
        _minor(values[title], layout, ways, spot) if title and values[title] else 0
        for title in (columns.came, columns.went)
    )
    if came < 0 or (came and went):
        raise UnreadableStatementError(spot, "an amount came and went at once, or came below 0")
    return came - abs(went)


def _minor(text: str, layout: CsvLayout, ways: _Ways, spot: str) -> int:
    plain = plain_amount(text, ways.decimal)
    if plain is None:
        why = f"an amount is missing, or is none with {ways.decimal!r} before its decimals"
        raise UnreadableStatementError(spot, why)
    return minor_of(plain, layout.currency, spot)


def _day(text: str, days: CsvDays, spot: str) -> date:
    day = day_of(text, days)
    if day is None:
        why = f"a day is missing, or is none as {days}"
        raise UnreadableStatementError(spot, why)
    return day


def _value(values: dict[str, str], title: str | None) -> str:
    return "" if title is None else values[title][:TEXT_MAX]


def _listed(values: dict[str, str], titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(values[title][:TEXT_MAX] for title in titles if values[title])[:TEXTS_MAX]


def _in_order(entries: list[StatementEntry], source: str) -> list[StatementEntry]:
    """Return *entries* from the first to the last, as their balances say, else their days."""
    if not entries or entries[0].balance_minor is None:
        return sorted(entries, key=lambda each: each.booked_on)
    for ordered in (entries, entries[::-1]):
        if _is_chain(ordered):
            return ordered
    why = "a line's balance is not that of the line before and its amount: a line is missing"
    raise UnreadableStatementError(source, why)


def _is_chain(entries: Sequence[StatementEntry]) -> bool:
    return all(
        (before.balance_minor or 0) + after.amount_minor == after.balance_minor
        for before, after in pairwise(entries)
    )

"""How a bank writes its CSV: which column is what, and how it writes days and amounts.

What is not said is looked for in the file, and taken only where one way alone reads all of it:
whether 01.02. is January or February, and whether 1.000 is a thousand, nobody guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, TypeVar

import msgspec

from ledger.payments.bank.files.statement import UnreadableStatementError


class CsvDays(StrEnum):
    """How days are written."""

    ISO = "YYYY-MM-DD"
    DOTS = "DD.MM.YYYY"
    DOTS_SHORT = "DD.MM.YY"
    SLASHES = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"
    DASHES = "DD-MM-YYYY"
    CLOSE = "YYYYMMDD"


Decimals = Literal[",", "."]
_Way = TypeVar("_Way")
_FORMATS: Final = {
    CsvDays.ISO: "%Y-%m-%d",
    CsvDays.DOTS: "%d.%m.%Y",
    CsvDays.DOTS_SHORT: "%d.%m.%y",
    CsvDays.SLASHES: "%d/%m/%Y",
    CsvDays.MONTH_FIRST: "%m/%d/%Y",
    CsvDays.DASHES: "%d-%m-%Y",
    CsvDays.CLOSE: "%Y%m%d",
}
_DIGITS: Final = {each: len(each.value) for each in CsvDays}
_ENCODINGS: Final = ("utf-8", "windows-1252", "iso-8859-15", "utf-16")
_DELIMITERS: Final = ";,\t|"
_GROUPS: Final = {",": ".", ".": ","}
_AMOUNTS: Final = {
    decimal: re.compile(
        rf"[+-]?(?:[0-9]{{1,3}}(?:[{group}' \u00a0\u202f][0-9]{{3}})+|[0-9]+)"
        rf"(?:\{decimal}[0-9]{{1,6}})?[+-]?"
    )
    for decimal, group in _GROUPS.items()
}


class CsvColumns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The titles of columns. Either `amount`, with its sign, or `came` and `went` without one.

    `bank_reference`: the bank's own name for a line; `balance`: the account's after it. One of the
    two tells a line from another like it; without both a file must have whole days. `texts` and
    `references` are what the payer wrote.
    """

    booked_on: str
    value_on: str | None = None
    amount: str | None = None
    came: str | None = None
    went: str | None = None
    currency: str | None = None
    payer: str | None = None
    payer_account: str | None = None
    texts: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    bank_reference: str | None = None
    balance: str | None = None

    def titles(self) -> tuple[str, ...]:
        """Return every title that a file must have."""
        named = [getattr(self, name) for name in self.__struct_fields__]
        listed = [*self.texts, *self.references]
        return tuple(dict.fromkeys([each for each in named if isinstance(each, str)] + listed))


class CsvLayout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CSV of one bank account; `skip_lines` stand before the titles, `last_lines` at the end.

    `account` is our IBAN. What is None is looked for in the file.
    """

    account: str
    columns: CsvColumns
    currency: str = "EUR"
    delimiter: str | None = None
    decimal: Decimals | None = None
    days: CsvDays | None = None
    encoding: str | None = None
    skip_lines: int = 0
    last_lines: int = 0

    def problems(self) -> list[str]:
        """Return what is wrong with it."""
        columns = self.columns
        found = []
        has_pair = columns.came is not None and columns.went is not None
        if (columns.amount is not None) == has_pair or (columns.came is None) != (
            columns.went is None
        ):
            found.append("columns: say either amount, or both came and went")
        if self.delimiter is not None and self.delimiter not in set(_DELIMITERS):
            found.append("delimiter: one of ; , | and a tab")
        if self.encoding is not None and self.encoding not in _ENCODINGS:
            found.append(f"encoding: one of {', '.join(_ENCODINGS)}")
        if min(self.skip_lines, self.last_lines) < 0:
            found.append("skip_lines and last_lines are not below 0")
        return found


def decoded(content: bytes, layout: CsvLayout, source: str) -> str:
    """Return the text of a file.

    Raises:
        UnreadableStatementError: If it is not in that encoding; unsaid, it must be UTF-8 or 16.
    """
    sniffed = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    encoding = layout.encoding or sniffed
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        why = f"it is not in {encoding} (byte {error.start}): say `encoding` in its layout"
        raise UnreadableStatementError(source, why) from error


def delimiter_of(titles: str, layout: CsvLayout, source: str) -> str:
    """Return what stands between columns: the one by which every title is found."""
    if layout.delimiter is not None:
        return layout.delimiter
    wanted = layout.columns.titles()
    fitting = [
        each
        for each in _DELIMITERS
        if {title.strip().strip('"') for title in titles.split(each)}.issuperset(wanted)
    ]
    return _the_only(fitting, "delimiter", source)


def days_of(texts: Sequence[str], layout: CsvLayout, source: str) -> CsvDays:
    """Return how the days *texts* are written: the one way by which each is a day."""
    if layout.days is not None:
        return layout.days
    return _the_only(_fitting(CsvDays, day_of, texts), "days", source)


def decimal_of(texts: Sequence[str], layout: CsvLayout, source: str) -> Decimals:
    """Return the decimal sign of the amounts *texts*: the one by which each is an amount."""
    if layout.decimal is not None:
        return layout.decimal
    both: tuple[Decimals, ...] = (",", ".")
    fitting = _fitting(both, plain_amount, texts)
    if len(fitting) > 1 and not any({",", "."} & {*text} for text in texts):
        return "."  # whole amounts, which both read alike
    return _the_only(fitting, "decimal", source)


def day_of(text: str, days: CsvDays) -> date | None:
    """Return the day *text*, None where it is none."""
    if len(text) != _DIGITS[days] or not text.isascii():
        return None
    try:
        return datetime.strptime(text, _FORMATS[days]).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def plain_amount(text: str, decimal: Decimals) -> str | None:
    """Return an amount with a decimal point, no groups its sign in front; None: it is none.

    Groups are of three digits; the sign may stand behind.
    """
    written = text.replace("\u2212", "-").strip()
    if not _AMOUNTS[decimal].fullmatch(written):
        return None
    signs = [written[at] for at in (0, -1) if written[at] in "+-"]
    if len(signs) > 1:
        return None
    whole, _, parts = written.strip("+-").partition(decimal)
    digits = re.sub(r"[^0-9]", "", whole)
    return ("-" if "-" in signs else "") + digits + (f".{parts}" if parts else "")


def _fitting(
    ways: Iterable[_Way], read: Callable[[str, _Way], object], texts: Sequence[str]
) -> list[_Way]:
    return [way for way in ways if all(read(text, way) is not None for text in texts)]


def _the_only(fitting: Sequence[_Way], name: str, source: str) -> _Way:
    if len(fitting) == 1:
        return fitting[0]
    why = (
        f"nothing reads all of it: say `{name}` in its layout"
        if not fitting
        else f"it can be read with {' and '.join(map(repr, map(str, fitting)))}: say `{name}`"
    )
    raise UnreadableStatementError(source, why)

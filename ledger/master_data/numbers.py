"""How documents are numbered: the format and the start of a seller's series, and what may collide.

A series is that of a legal entity, a kind of document and a year; its count goes up by one for each
document. A format says how a place in it is written: `{prefix}-{year}-{number:06}` at place 7 of
2026 is `WL-2026-000007`. Everything but the number has a length of its own, so that the same
format never writes two places of a seller's series alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

PLACE_MAX: Final = 10**12
_WIDTH_MAX: Final = 12
_FORMAT_LENGTH_MAX: Final = 60
_PART: Final = re.compile(
    r"(?P<text>[A-Za-z0-9./_-]+)"
    r"|\{(?P<field>prefix|legal_entity|year|yy)\}"
    r"|\{number(?::0(?P<width>[1-9][0-9]?))?\}",
    re.ASCII,
)
_YEAR_DIGITS: Final = {"year": 4, "yy": 2}
_DIGIT: Final = "digit"
_MORE: Final = "more digits"
_DIGITS: Final = "0123456789"

Shape = tuple[str, ...]
"""A character each, or `_DIGIT` for any digit, or `_MORE` for none or any more of them."""


def _fault(format_: str) -> str | None:
    """Return what is wrong with a format, None if nothing."""
    parts = list(_PART.finditer(format_))
    if "".join(part[0] for part in parts) != format_:
        return (
            "it has the fields {prefix}, {legal_entity}, {year}, {yy} and {number} or {number:06},"
            " with letters, digits and . / _ - between them"
        )
    if len(format_) > _FORMAT_LENGTH_MAX:
        return f"it has {_FORMAT_LENGTH_MAX} characters at most"
    numbers = [part for part in parts if not part["text"] and not part["field"]]
    if len(numbers) != 1:
        return "{number} must stand in it once: that is what counts up"
    if int(numbers[0]["width"] or 1) > _WIDTH_MAX:
        return f"{{number}} is {_WIDTH_MAX} digits wide at most"
    if not any(part["field"] in _YEAR_DIGITS for part in parts):
        return "without {year} or {yy} each year would give the numbers of the one before again"
    return None


class BadFormatError(ValueError):
    """A format of numbers cannot be used."""

    def __init__(self, format_: str, why: str) -> None:
        super().__init__(f"{format_} is no format of numbers: {why}")
        self.format, self.why = format_, why


class SeriesNumbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one kind of document is numbered.

    `format` has the fields `{prefix}`, `{legal_entity}` (its key), `{year}` or `{yy}`, `{number}`
    or `{number:06}` (six digits at least), and letters, digits, `.`, `/`, `_` and `-` between them.
    `start` is the first number of a series that has given none.

    Raises:
        BadFormatError: If the format is not like that, or would give a number twice.
    """

    format: str
    start: Annotated[int, msgspec.Meta(ge=1, le=PLACE_MAX)] = 1

    def __post_init__(self) -> None:
        if (why := _fault(self.format)) is not None:
            raise BadFormatError(self.format, why)

    def number(self, place: int, *, year: int, prefix: str, legal_entity: str) -> str:
        """Return how the number at *place* of the series of *year* is written."""
        texts = {"prefix": prefix, "legal_entity": legal_entity, "year": f"{year:04d}",
                 "yy": f"{year % 100:02d}"}  # fmt: skip
        return "".join(
            part["text"]
            or (texts[part["field"]] if part["field"] else f"{place:0{part['width'] or 1}d}")
            for part in _PART.finditer(self.format)
        )

    def shape(self, *, prefix: str, legal_entity: str) -> Shape:
        """Return what all its numbers look like, whatever the year."""
        return tuple(_shape(self.format, {"prefix": prefix, "legal_entity": legal_entity}))

    def pieces(self, *, prefix: str, legal_entity: str) -> tuple[str | int, ...]:
        """Return what its numbers consist of: texts, and of so many digits the year and number.

        The number may have more digits than that: it is below 0.
        """
        texts = {"prefix": prefix, "legal_entity": legal_entity}
        found = list[str | int]()
        for part in _PART.finditer(self.format):
            name = part["field"]
            if text := part["text"] or texts.get(name or ""):
                is_more = found and isinstance(found[-1], str)
                found[-1:] = [f"{found[-1]}{text}"] if is_more else [*found[-1:], text]
            else:
                found.append(_YEAR_DIGITS[name] if name else -int(part["width"] or 1))
        return tuple(found)

    def counts_where(self, other: SeriesNumbers) -> bool:
        """Whether both have their year and number in the same places, the digits set aside."""
        return _without_width(self.format) == _without_width(other.format)


class InvoiceNumbers(SeriesNumbers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How invoices are numbered."""

    format: str = "{prefix}-{year}-{number:06}"


class CreditNoteNumbers(SeriesNumbers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How credit notes are numbered."""

    format: str = "{prefix}-CN-{year}-{number:06}"


class DocumentNumbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a legal entity's documents are numbered, by their kind."""

    invoices: InvoiceNumbers = InvoiceNumbers()
    credit_notes: CreditNoteNumbers = CreditNoteNumbers()


def may_be_equal(one: Shape, other: Shape) -> bool:
    """Whether some text looks like both."""
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        at, there = todo.pop()
        if at == len(one) and there == len(other):
            return True
        for state in _next(one, other, at, there):
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return False


def _next(one: Shape, other: Shape, at: int, there: int) -> Iterator[tuple[int, int]]:
    """Yield where both may stand after no character, or after one that fits them both."""
    mine = one[at] if at < len(one) else None
    theirs = other[there] if there < len(other) else None
    if mine == _MORE:
        yield at + 1, there
    if theirs == _MORE:
        yield at, there + 1
    if mine is not None and theirs is not None and _fit(mine, theirs):
        yield at + (mine != _MORE), there + (theirs != _MORE)


def _fit(mine: str, theirs: str) -> bool:
    """Whether one character is both."""
    any_digit = {_DIGIT, _MORE}
    if mine in any_digit:
        return theirs in any_digit or theirs in _DIGITS
    return mine in _DIGITS if theirs in any_digit else mine == theirs


def _shape(format_: str, texts: dict[str, str]) -> Iterator[str]:
    for part in _PART.finditer(format_):
        name = part["field"]
        if part["text"]:
            yield from part["text"]
        elif name in texts:
            yield from texts[name]
        elif name:
            yield from [_DIGIT] * _YEAR_DIGITS[name]
        else:
            yield from [_DIGIT] * int(part["width"] or 1)
            yield _MORE


def _without_width(format_: str) -> str:
    return re.sub(r"\{number:0\d+\}", "{number}", format_)

"""The number series of documents, and whatever an auditor would ask about: gaps, days that go back.

A series is what one legal entity's documents of one kind and year are numbered by, whatever stood
before the number then: the prefix may be declared anew within a year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.invoices.numbering import CREDIT_NOTES, INVOICES

BREAKS_MAX: Final = 100
"""So many are told of all series together; they are counted all the same."""
_NUMBERED: LiteralString = """
WITH numbered AS (
    SELECT number, legal_entity, credits IS NOT NULL AS is_note, issued_on,
           substring(number FROM '-([0-9]+)-[0-9]+$')::integer AS year,
           substring(number FROM '[0-9]+$')::bigint AS place
    FROM issued_invoice
), compared AS (
    SELECT *, lag(place, 1, 0) OVER series AS place_before, lag(issued_on) OVER series AS day_before
    FROM numbered WINDOW series AS (PARTITION BY legal_entity, is_note, year ORDER BY place)
)
"""
_SERIES: LiteralString = (
    _NUMBERED
    + """
SELECT legal_entity, is_note, year, count(*), min(number COLLATE "C"), max(place),
       count(*) FILTER (WHERE place > place_before + 1),
       count(*) FILTER (WHERE issued_on < day_before)
FROM compared GROUP BY legal_entity, is_note, year ORDER BY legal_entity, year, is_note
"""
)
_BREAKS: LiteralString = (
    _NUMBERED
    + """
SELECT number, place_before, place
FROM compared WHERE place <> place_before + 1 OR issued_on < day_before
ORDER BY legal_entity, year, is_note, place LIMIT %s
"""
)


class SeriesBreak(msgspec.Struct, frozen=True, kw_only=True):
    """What is off with document `number`; those `missing` before it are from ... to ...

    null: none is missing, but it has the number of another (`is_twice`), or an earlier day than it.
    """

    number: str
    missing: tuple[int, int] | None
    is_twice: bool = False


class NumberedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series: how many documents of it are booked, the last of their numbers, and what is off.

    `given` is the last number that was ever given: where it is higher, those are not booked yet.
    """

    legal_entity: str
    kind: str
    year: int
    first: str
    documents: int
    last: int
    given: int
    gaps: int
    days_back: int

    @property
    def is_whole(self) -> bool:
        """Whether every number up to the last one given has its document, in the order of days."""
        is_gapless = self.gaps == 0 and self.documents == self.last == self.given
        return is_gapless and self.days_back == 0


class NumberReport(msgspec.Struct, frozen=True, kw_only=True):
    """All series, and the first of what breaks them."""

    series: tuple[NumberedSeries, ...]
    breaks: tuple[SeriesBreak, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is off."""
        return all(each.is_whole for each in self.series)


def number_report(
    connection: Connection[Any], last_given: Callable[[str, int, str], int]
) -> NumberReport:
    """Return every series that booked documents have.

    *last_given* says of a legal entity, year and kind which number was given last.
    """
    series = tuple(
        NumberedSeries(
            legal_entity=legal_entity,
            kind=(kind := CREDIT_NOTES if is_note else INVOICES),
            year=year,
            first=first,
            documents=documents,
            last=last,
            given=last_given(legal_entity, year, kind),
            gaps=gaps,
            days_back=days_back,
        )
        for legal_entity, is_note, year, documents, first, last, gaps, days_back in (
            connection.execute(_SERIES)
        )
    )
    return NumberReport(series=series, breaks=_breaks(connection.execute(_BREAKS, (BREAKS_MAX,))))


def _breaks(rows: Iterable[tuple[str, int, int]]) -> tuple[SeriesBreak, ...]:
    return tuple(
        SeriesBreak(
            number=number,
            missing=(before + 1, place - 1) if place > before + 1 else None,
            is_twice=place == before,
        )
        for number, before, place in rows
    )

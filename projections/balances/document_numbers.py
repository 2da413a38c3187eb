"""The number series of documents, and whatever an auditor would ask about: gaps, days that go back.

A series is what one legal entity's documents of one kind and year are numbered by. Its own count is
looked at, not the text: prefix and format may be declared anew within a year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.numbering import CREDIT_NOTES, INVOICES

BREAKS_MAX: Final = 100
"""So many are told of all series together; they are counted all the same."""
_FOUND: LiteralString = """
SELECT DISTINCT legal_entity, credits IS NOT NULL AS is_note, extract(year FROM issued_on)::integer
FROM issued_invoice ORDER BY 1, 3, 2
"""
_NUMBERED: LiteralString = """
WITH compared AS (
    SELECT number, place, issued_on, legal_entity, year, is_note,
           lag(place, 1, start - 1) OVER series AS place_before,
           lag(issued_on) OVER series AS day_before
    FROM (
        SELECT *, credits IS NOT NULL AS is_note, extract(year FROM issued_on)::integer AS year
        FROM issued_invoice
    ) AS issued
    JOIN unnest(%(entities)s::text[], %(notes)s::boolean[], %(years)s::integer[],
        %(starts)s::bigint[]) AS begun (legal_entity, is_note, year, start)
        USING (legal_entity, is_note, year)
    WINDOW series AS (PARTITION BY legal_entity, is_note, year ORDER BY place, number COLLATE "C")
)
"""
_SERIES: LiteralString = (
    _NUMBERED
    + """
SELECT count(*), (array_agg(number ORDER BY place, number COLLATE "C"))[1], max(place),
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
ORDER BY legal_entity, year, is_note, place, number COLLATE "C" LIMIT %(limit)s
"""
)


class Given(NamedTuple):
    """What a series says itself: its first number, the last that was given, how it is written.

    `format` holds from the number `since` on.
    """

    start: int
    last: int
    format: str
    since: int


_NONE: Final = Given(1, 0, "", 0)


SeriesSaid = Callable[[str, int, str], Given | None]
"""Says what the series of a legal entity, year and kind says of itself; None: there is none."""


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
    `start` is its first number, as declared when that was given; `format` is how numbers are
    written from `format_since` on. "" and 0: nobody ever gave a number of it.
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
    start: int
    format: str
    format_since: int

    @property
    def is_whole(self) -> bool:
        """Whether every number up to the last one given has its document, in the order of days."""
        numbers = self.last - self.start + 1
        is_gapless = self.gaps == 0 and self.documents == numbers and self.last == self.given
        return is_gapless and self.days_back == 0


class NumberReport(msgspec.Struct, frozen=True, kw_only=True):
    """All series, and the first of what breaks them."""

    series: tuple[NumberedSeries, ...]
    breaks: tuple[SeriesBreak, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is off."""
        return all(each.is_whole for each in self.series)


def given_by(issuer: InvoiceIssuer) -> SeriesSaid:
    """Return who says what a series of *issuer*'s says of itself."""

    def given(legal_entity: str, year: int, kind: str) -> Given | None:
        found = issuer.series(legal_entity=legal_entity, year=year, kind=kind)
        if found is None:
            return None
        return Given(found.start, found.last, found.format, found.format_since)

    return given


def number_report(connection: Connection[Any], given: SeriesSaid) -> NumberReport:
    """Return every series that booked documents have.

    *given* returns what the series of a legal entity, year and kind says; None if there is none.
    """
    found = connection.execute(_FOUND).fetchall()
    kinds = [CREDIT_NOTES if is_note else INVOICES for _, is_note, _ in found]
    said = [
        given(legal_entity, year, kind) or _NONE
        for (legal_entity, _, year), kind in zip(found, kinds, strict=True)
    ]
    asked = {
        "entities": [legal_entity for legal_entity, _, _ in found],
        "notes": [is_note for _, is_note, _ in found],
        "years": [year for _, _, year in found],
        "starts": [each.start for each in said],
        "limit": BREAKS_MAX,
    }
    counted = connection.execute(_SERIES, asked).fetchall()
    series = tuple(
        NumberedSeries(
            legal_entity=legal_entity,
            kind=kind,
            year=year,
            first=first,
            documents=documents,
            last=last,
            given=own.last,
            gaps=gaps,
            days_back=days_back,
            start=own.start,
            format=own.format,
            format_since=own.since,
        )
        for (legal_entity, _, year), kind, own, (documents, first, last, gaps, days_back) in zip(
            found, kinds, said, counted, strict=True
        )
    )
    return NumberReport(series=series, breaks=_breaks(connection.execute(_BREAKS, asked)))


def _breaks(rows: Iterable[tuple[str, int, int]]) -> tuple[SeriesBreak, ...]:
    return tuple(
        SeriesBreak(
            number=number,
            missing=(before + 1, place - 1) if place > before + 1 else None,
            is_twice=place == before,
        )
        for number, before, place in rows
    )

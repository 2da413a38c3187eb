"""What a tariff looks like to who changes it: prices of a week, findings, examples, differences.

Pure, and done in a process of its own (`looking.py`): a text may come from anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import Final

import msgspec

from ledger.master_data.tariff_versions import published
from tariffs.calendar.circumstances import footnotes, start_note, telling
from tariffs.calendar.table import PriceTable, price_table
from tariffs.calendar.week import Fee, week_calendar
from tariffs.calendar.words import element_phrase, price_phrase
from tariffs.diff.diff import diff_tariffs
from tariffs.errors import TariffError
from tariffs.files.examples import example_outcomes
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.lint.linter import FindingInFile, lint_file, lint_published, unreadable
from tariffs.lint.subject import Severity
from tariffs.model.tariff import Tariff
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import version_named
from tariffs.phrases.phrase import Phrase, phrase

SHOWN_MAX: Final = 200
"""Of findings, sentences and examples; how many there are besides is said."""

OCPI_SHOWN: Final = 50_000
"""Of a tariff in OCPI's words, in characters."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at.

    `tariff` is what a published version says, None for a draft: then *text* says it all. `before`
    is what it is compared with. The week begins at `first_day`, by the clock of `time_zone`.
    `country` of the sites, ISO 3166's two letters; `party` as OCPI wants it, "DE-ABC".
    """

    text: str
    source: str
    time_zone: str
    first_day: date
    tariff: Tariff | None = None
    before: Tariff | None = None
    country: str | None = None
    party: str = ""
    ocpi: str = "2.3.0"
    updated_at: datetime | None = None
    """When it was declared, as OCPI wants to know."""


class FeeWeek(msgspec.Struct, frozen=True, kw_only=True):
    """A fee over the week: a table, or one price where it never changes.

    `when`: at which point of a session, None at its start.
    """

    fee: Fee
    when: Phrase | None
    constant: Phrase | None
    table: PriceTable | None


class ExampleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A golden example: `why` it fails, "" where it costs what it says."""

    name: str
    total: Phrase
    line: int
    why: str


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `tariff` is None while the text cannot be read."""

    tariff: Tariff | None = None
    sha256: str = ""
    findings: tuple[FindingInFile, ...] = ()
    more_findings: int = 0
    fees: tuple[FeeWeek, ...] = ()
    notes: tuple[Phrase, ...] = ()
    elements: tuple[tuple[str, Phrase], ...] = ()
    examples: tuple[ExampleShown, ...] = ()
    more_examples: int = 0
    changes: tuple[Phrase, ...] = ()
    more_changes: int = 0
    hours_changed: int = 0
    ocpi: str = ""
    ocpi_left_out: int = 0
    """How many characters of it there are besides."""
    ocpi_notes: tuple[Phrase, ...] = ()
    is_given_up: bool = False
    """It took too long, or too much memory."""

    @property
    def errors(self) -> int:
        """Return how many errors are among what is shown."""
        return sum(each.severity is Severity.ERROR for each in self.findings)

    @property
    def is_ready(self) -> bool:
        """Whether it can be proposed."""
        return self.tariff is not None and not self.errors and not self.is_given_up


def look(asked: Asked) -> Looked:
    """Return what a text, or a version, looks like."""
    tariff, findings = _read(asked)
    shown, rest = findings[:SHOWN_MAX], max(0, len(findings) - SHOWN_MAX)
    if tariff is None:
        return Looked(findings=shown, more_findings=rest)
    outcomes, _ = example_outcomes(tariff, asked.text, asked.source)
    compiled = CompiledTariff(tariff)
    week = week_calendar(compiled, time_zone=asked.time_zone, first_day=asked.first_day)
    changes, hours = _changes(asked, compiled)
    ocpi, ocpi_notes = _ocpi(tariff, asked)
    return Looked(
        tariff=tariff,
        sha256=published(tariff).sha256,
        findings=shown,
        more_findings=rest,
        fees=tuple(_fees(compiled, asked)),
        notes=(start_note(week.circumstances), *footnotes(compiled, week)[:SHOWN_MAX]),
        elements=tuple(
            (each.name or "", element_phrase(each, tariff)) for each in tariff.elements[:SHOWN_MAX]
        ),
        examples=tuple(
            ExampleShown(
                name=each.example.name,
                total=phrase("amount", amount=each.example.total, currency=tariff.currency),
                line=each.example.line,
                why=each.why,
            )
            for each in outcomes[:SHOWN_MAX]
        ),
        more_examples=max(0, len(outcomes) - SHOWN_MAX),
        changes=changes[:SHOWN_MAX],
        more_changes=max(0, len(changes) - SHOWN_MAX),
        hours_changed=hours,
        ocpi=ocpi[:OCPI_SHOWN],
        ocpi_left_out=max(0, len(ocpi) - OCPI_SHOWN),
        ocpi_notes=ocpi_notes,
    )


def _read(asked: Asked) -> tuple[Tariff | None, tuple[FindingInFile, ...]]:
    """Return the tariff and what is wrong or odd about it, with its line and column."""
    if asked.tariff is not None:
        found = lint_published(asked.tariff, asked.text, asked.source, country=asked.country)
        return asked.tariff, found
    tariff, problems = read_tariff_file(asked.text, asked.source, is_alone=True)
    if tariff is None:
        return None, tuple(map(unreadable, problems))
    return tariff, lint_file(asked.text, asked.source, country=asked.country, is_alone=True)


def _fees(compiled: CompiledTariff, asked: Asked) -> Iterator[FeeWeek]:
    week = week_calendar(compiled, time_zone=asked.time_zone, first_day=asked.first_day)
    for fee in week.fees:
        shown, band = telling(compiled, week, fee)
        constant = shown.constant(fee)
        yield FeeWeek(
            fee=fee,
            when=None if band is None else band.said,
            constant=None
            if constant is None
            else price_phrase(constant.price, fee, compiled.tariff.currency),
            table=price_table(shown, fee) if constant is None else None,
        )


def _changes(asked: Asked, after: CompiledTariff) -> tuple[tuple[Phrase, ...], int]:
    """Return what changes, and in how many rows of the week prices do."""
    if asked.before is None or asked.before == after.tariff:
        return (), 0
    found = diff_tariffs(
        CompiledTariff(asked.before),
        after,
        time_zone=asked.time_zone,
        first_day=asked.first_day,
    )
    return tuple(each.said for each in found.changes), len(found.hours)


def _ocpi(tariff: Tariff, asked: Asked) -> tuple[str, tuple[Phrase, ...]]:
    country, _, party = asked.party.partition("-")
    whole = msgspec.structs.replace(
        tariff,
        country_code=tariff.country_code or country or None,
        party_id=tariff.party_id or party or None,
        last_updated=tariff.last_updated or asked.updated_at,
    )
    try:
        value, notes = write_tariff(whole, version_named(asked.ocpi))
    except TariffError as error:
        return "", (phrase("told", text=str(error)),)
    said = tuple(
        phrase("told_at", spot=note.spot or "$", text=note.message)
        for note in islice(notes, SHOWN_MAX)
    )
    return encode_ocpi(value).decode(), said

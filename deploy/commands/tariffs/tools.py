"""`wattledger tariff lint|diff`: tools on tariff files; they need no database."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from deploy.commands.tariffs.reading import compiled_tariff, monday_of
from deploy.commands.text_files import NotUtf8Error, read_text
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from tariffs.calendar.words import DAY_NAMES, amount_text, clock_text
from tariffs.diff.diff import HourChange, TariffDiff, diff_tariffs
from tariffs.files.schema import schema_text
from tariffs.lint.linter import FindingInFile, lint_file, lint_ocpi, unreadable
from tariffs.lint.subject import Severity
from tariffs.problems import Problem
from tariffs.zones import zone

_SUFFIXES: Final = {".yaml", ".yml", ".json"}

Json = Annotated[bool, Parameter(name="--json", negative=())]


def lint(
    *files: Path, country: str | None = None, strict: bool = False, as_json: Json = False
) -> int:
    """Find what is wrong or probably not meant in tariff files, all at once.

    Each finding has its place (file:line:column), how bad it is, and the name of its rule. Errors
    make the command fail; with --strict warnings do, too.

    Args:
        files: Tariff files (YAML, or OCPI as .json), or folders of them.
        country: Country of the sites (DE, US), for signs of consumer law.
        strict: Fail on warnings as well.
        as_json: Print JSON for machines instead of text.
    """
    paths = list(_tariff_files(files))
    if not paths:
        message = "tariff lint needs at least one file"
        raise DeployError(message)
    findings = [finding for path in paths for finding in _lint(path, country)]
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    failed = any(finding.severity in failing for finding in findings)
    if as_json:
        print_json({"findings": list(map(_finding_row, findings)), "failed": failed})
        return int(failed)
    for finding in findings:
        say(str(finding))
    found = Counter(finding.severity for finding in findings)
    counts = [_counted(found[severity], severity) for severity in Severity]
    say(f"{_counted(len(paths), 'file')}: {', '.join(counts)}.")
    return int(failed)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def diff(
    before: Path,
    after: Path,
    *,
    time_zone: str = "UTC",
    week: date | None = None,
    hours: bool = False,
    as_json: Json = False,
) -> int:
    """Say what changes from one tariff file to another: in sentences, and per hour of the week.

    Args:
        before: The tariff as it is (YAML, or OCPI as .json).
        after: The tariff as it will be.
        time_zone: Time zone of the site; it matters in weeks in which clocks change.
        week: A day of the week to look at (default: this week).
        hours: List every hour of the week in which a price differs.
        as_json: Print JSON for machines instead of text.
    """
    old, new = compiled_tariff(before), compiled_tariff(after)
    zone(time_zone)
    found = diff_tariffs(old, new, time_zone=time_zone, first_day=monday_of(week))
    if as_json:
        changes = [{"kind": each.kind, "sentence": each.sentence} for each in found.changes]
        print_json({"changes": changes, "hours": found.hours})
        return 0
    if not found.changes:
        say("Nothing changes.")
    for change in found.changes:
        say(f"{change.sentence}.")
    if hours:
        columns = {"fee": "left", "from": "left", "before": "right", "after": "right"}
        print_rows("Hours of the week", columns, [_hour_row(found, h) for h in found.hours])
    elif found.hours:
        say(f"{len(found.hours)} hours or quarters of the week differ; --hours lists them.")
    return 0


def _lint(path: Path, country: str | None) -> tuple[FindingInFile, ...]:
    try:
        text = read_text(path)
    except NotUtf8Error as error:
        return (unreadable(Problem(str(path), error.line, error.column, error.why)),)
    if path.suffix == ".json":
        return lint_ocpi(text.encode(), str(path), country=country)
    return lint_file(text, str(path), country=country)


def _finding_row(finding: FindingInFile) -> dict[str, object]:
    return {
        "source": finding.source,
        "line": finding.line,
        "column": finding.column,
        "severity": finding.severity,
        "rule": finding.rule,
        "message": finding.message,
    }


def schema() -> int:
    """Print the JSON Schema of tariff files, with which an editor completes and checks them."""
    sys.stdout.write(schema_text())
    return 0


def _tariff_files(files: tuple[Path, ...]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES)
        else:
            yield path


def _hour_row(found: TariffDiff, hour: HourChange) -> tuple[str, ...]:
    start = f"{DAY_NAMES[hour.day.weekday()]} {clock_text(hour.starts_at)}"
    currencies = (found.before.currency, found.after.currency)
    prices = (
        " then ".join("free" if p is None else amount_text(p, currency) for p in side)
        for side, currency in zip((hour.before, hour.after), currencies, strict=True)
    )
    return (hour.fee.value, start, *prices)

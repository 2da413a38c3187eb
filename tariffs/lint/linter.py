"""Everything that looks wrong in a tariff, all at once, each with its spot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from tariffs.errors import TariffError
from tariffs.files.examples import failing_examples
from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.yaml.reader import Mapping, Node, Scalar, Sequence, read_yaml
from tariffs.kernel.compiled import CompiledTariff
from tariffs.lint import adjustments, elements, law, limits, partners, places, prices, taxes
from tariffs.lint.english import ENGLISH
from tariffs.lint.subject import Finding, Rule, Severity, Spot, subject_of
from tariffs.model.tariff import COMPONENT_DIMENSIONS, Tariff
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.problems import Problem

RULES: Final[tuple[Rule, ...]] = (
    *elements.RULES,
    *prices.RULES,
    *taxes.RULES,
    *places.RULES,
    *adjustments.RULES,
    *limits.RULES,
    *partners.RULES,
    *law.RULES,
)
# Findings that come from reading and compiling, and from the text itself.
UNREADABLE: Final = "unreadable"
UNPRICEABLE: Final = "unpriceable"
REPAIRED: Final = "repaired"
EXAMPLE_FAILS: Final = "example-fails"
MISSING_UNIT: Final = "missing-unit"
_UNITS: Final = {"energy", "flat"}
"""What is priced by a unit of its own; all else is by the hour."""
_STEP: Final = re.compile(r"([A-Za-z_]+)|\[(\d+)\]", re.ASCII)
_ORDER: Final = {severity: rank for rank, severity in enumerate(Severity)}


class FindingInFile(msgspec.Struct, frozen=True, kw_only=True):
    """A finding at a line and column (from 1) of a file."""

    source: str
    line: int
    column: int
    severity: Severity
    rule: str
    said: Phrase

    @property
    def message(self) -> str:
        """Return what is found, in English."""
        return ENGLISH.words(self.said)

    def __str__(self) -> str:
        spot = f"{self.source}:{self.line}:{self.column}"
        return f"{spot}: {self.severity}: {self.message} [{self.rule}]"


def unreadable(problem: Problem) -> FindingInFile:
    """Return the finding that a file cannot be read because of *problem*."""
    return FindingInFile(
        source=problem.source,
        line=problem.line,
        column=problem.column,
        severity=Severity.ERROR,
        rule=UNREADABLE,
        said=phrase("told", text=problem.message),
    )


def lint_tariff(tariff: Tariff, *, country: str | None = None) -> tuple[Finding, ...]:
    """Return what looks wrong in *tariff*, errors first; *country* in ISO 3166's two letters."""
    try:
        compiled = CompiledTariff(tariff)
    except TariffError as error:
        said = phrase("told", text=str(error))
        finding = Finding(rule=UNPRICEABLE, severity=Severity.ERROR, spot=(), said=said)
        return (finding,)
    subject = subject_of(compiled, country=country)
    findings = [finding for rule in RULES for finding in rule.findings(subject)]
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity]))


def lint_file(
    text: str, source: str, *, country: str | None = None, is_alone: bool = False
) -> tuple[FindingInFile, ...]:
    """Return what looks wrong in a tariff file, in the file's order; *is_alone*: as it is read.

    A file that cannot be read has its problems only: rules need a tariff to look at.
    """
    tariff, problems = read_tariff_file(text, source, is_alone=is_alone)
    findings = [unreadable(problem) for problem in problems]
    failing = [] if tariff is None else failing_examples(tariff, text, source)
    findings += [
        FindingInFile(
            source=problem.source,
            line=problem.line,
            column=problem.column,
            severity=Severity.ERROR,
            rule=EXAMPLE_FAILS,
            said=phrase("told", text=problem.message),
        )
        for problem in failing
    ]
    root, _ = read_yaml(text, source)
    found = [] if tariff is None else [*lint_tariff(tariff, country=country)]
    if root is not None:
        found += _missing_units(root)
    return _in_order([*findings, *_spotted(found, root, source)])


def lint_published(
    tariff: Tariff, text: str, source: str, *, country: str | None = None
) -> tuple[FindingInFile, ...]:
    """Return what looks odd in a version that was read from *text*, which is not read again."""
    root, _ = read_yaml(text, source)
    return _spotted([*lint_tariff(tariff, country=country)], root, source)


def _spotted(findings: list[Finding], root: Node | None, source: str) -> tuple[FindingInFile, ...]:
    spotted = []
    for finding in findings:
        line, column = (1, 1) if root is None else locate(root, finding.spot)
        spotted.append(
            FindingInFile(
                source=source,
                line=line,
                column=column,
                severity=finding.severity,
                rule=finding.rule,
                said=finding.said,
            )
        )
    return _in_order(spotted)


def _in_order(findings: list[FindingInFile]) -> tuple[FindingInFile, ...]:
    return tuple(sorted(findings, key=lambda f: (f.line, f.column, _ORDER[f.severity])))


def lint_ocpi(data: bytes, source: str, *, country: str | None = None) -> tuple[FindingInFile, ...]:
    """Return what looks wrong in a tariff of OCPI (JSON), with what had to be repaired."""
    tariff: Tariff | None = None
    try:
        tariff, notes = read_ocpi_tariff(data)
    except OcpiError as error:
        found = [_ocpi_finding(UNREADABLE, Severity.ERROR, error.spot, error.why)]
    except TariffError as error:
        found = [_ocpi_finding(UNPRICEABLE, Severity.ERROR, "", str(error))]
    else:
        found = [
            _ocpi_finding(REPAIRED, Severity.WARNING, note.spot or "", note.message)
            for note in notes
        ]
        found += [
            msgspec.structs.replace(finding, spot=_ocpi_spot(tariff, finding.spot))
            for finding in lint_tariff(tariff, country=country)
        ]
    # JSON is YAML enough to have its spots read.
    root, _ = read_yaml(data.decode("utf-8", "replace"), source)
    return _spotted(found, root, source)


def _ocpi_finding(rule: str, severity: Severity, path: str, message: str) -> Finding:
    steps = (key or int(index) for key, index in _STEP.findall(path))
    at_spot = phrase("told_at", spot=path, text=message)
    said = at_spot if path else phrase("told", text=message)
    return Finding(rule=rule, severity=severity, spot=tuple(steps), said=said)


def _ocpi_spot(tariff: Tariff, spot: Spot) -> Spot:
    """Return where OCPI has what our files have at *spot*."""
    match spot:
        case ("tariff",):
            return ("id",)
        case ("elements", int() as index, str() as key, *rest) if key != "restrictions":
            components = tariff.elements[index].price_components
            for number, component in enumerate(components):
                if component.dimension.lower() == key:
                    return ("elements", index, "price_components", number, *rest)
    return spot


def locate(root: Node, spot: Spot) -> tuple[int, int]:
    """Return line and column of *spot*, or of the nearest thing above that the file has."""
    node, found = root, (root.line, root.column)
    for step in spot:
        match node:
            case Mapping(entries=entries) if isinstance(step, str) and step in entries:
                key, node = entries[step]
                found = (key.line, key.column)
            case Sequence(items=items) if isinstance(step, int) and step < len(items):
                node = items[step]
                found = (node.line, node.column)
            case Mapping() if step == 0:
                # A single value where a list could be.
                continue
            case _:
                break
    return found


def _missing_units(root: Node) -> Iterator[Finding]:
    """Find prices that do not say for what: the model knows, but people guess."""
    elements = _at(root, "elements")
    for index, element in enumerate(elements.items if isinstance(elements, Sequence) else ()):
        for dimension in COMPONENT_DIMENSIONS:
            key = dimension.lower()
            node = _at(element, key)
            price = _at(node, "price") if isinstance(node, Mapping) else node
            if isinstance(price, Scalar) and _is_bare(price.text):
                said = phrase("no_unit", price=price.text, unit=key if key in _UNITS else "time")
                yield Finding(
                    rule=MISSING_UNIT,
                    severity=Severity.NOTE,
                    spot=("elements", index, key),
                    said=said,
                )


def _at(node: Node | None, key: str) -> Node | None:
    entry = node.entries.get(key) if isinstance(node, Mapping) else None
    return None if entry is None else entry[1]


def _is_bare(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdecimal()

"""The published JSON Schema says what the reader of tariff files says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tariffs.files.adjustments import KINDS
from tariffs.files.schema import ADJUSTMENTS, schema_text, tariff_schema
from tariffs.files.tariff_file import read_tariff_file
from tests.tree import ROOT

FILES = [
    *sorted((ROOT / "tests" / "cases").glob("*/tariff.yaml")),
    *sorted((ROOT / "examples" / "tariffs").glob("*.yaml")),
]
HEAD = "tariff: t\ncurrency: EUR\n"
ELEMENTS = "elements: [{flat: 1}]\n"


def errors(text: str) -> list[str]:
    """Return what a schema-aware editor marks; it reads YAML 1.2, where 21:00 is text."""
    data: Any = yaml.load(text, Loader=yaml.BaseLoader)
    return [error.message for error in Draft202012Validator(tariff_schema()).iter_errors(data)]


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (ROOT / "docs" / "tariff.schema.json").read_text("utf-8")

    assert published == schema_text(), "run: wattledger tariff schema > docs/tariff.schema.json"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_tariff_file_satisfies_the_schema(path: Path) -> None:
    assert errors(path.read_text("utf-8")) == []


def test_the_schema_marks_what_is_misspelt() -> None:
    assert errors(f"{HEAD}{ELEMENTS}") == []
    assert errors(f"{HEAD}{ELEMENTS}vatt: 19 %\n")
    assert errors(f"{HEAD}elements: [{{flat: 1, restrictions: {{start: 21:00}}}}]\n")
    assert errors(f"{HEAD}{ELEMENTS}adjustments: [{{cap: 1, onn: [time]}}]\n")


def test_the_schema_knows_every_kind_of_adjustment() -> None:
    assert ADJUSTMENTS.keys() == KINDS.keys()


def properties(*path: str) -> set[str]:
    schema: Any = tariff_schema()
    for step in path:
        schema = schema["properties"][step]
        options = schema.get("anyOf", [schema])
        schema = next(option for option in options if "properties" in option)
    return set(schema["properties"])


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (f"{HEAD}{ELEMENTS}", properties()),
        (f"{HEAD}elements: [{{flat: 1, qqqqqqqq: 1}}]\n", properties("elements")),
        (
            f"{HEAD}elements: [{{flat: 1, restrictions: {{qqqqqqqq: 1}}}}]\n",
            properties("elements", "restrictions"),
        ),
        (f"{HEAD}{ELEMENTS}price_series: {{qqqqqqqq: 1}}\n", properties("price_series")),
        (f"{HEAD}{ELEMENTS}holidays: {{qqqqqqqq: 1}}\n", properties("holidays")),
        (f"{HEAD}{ELEMENTS}taxes: [{{qqqqqqqq: 1}}]\n", properties("taxes")),
        *(
            (
                f"{HEAD}{ELEMENTS}adjustments: [{{{kind}: 1, qqqqqqqq: 1}}]\n",
                {*keys, "reason"},
            )
            for kind, keys in ADJUSTMENTS.items()
        ),
    ],
)
def test_the_schema_has_the_keys_that_the_reader_takes(text: str, known: set[str]) -> None:
    if "qqqqqqqq" not in text:
        text += "qqqqqqqq: 1\n"

    _, problems = read_tariff_file(text, "tariff.yaml")

    said = [re.search(r"has no key 'qqqqqqqq'; it has (.*)", p.message) for p in problems]
    taken = {key for match in said if match for key in match[1].split(", ")}
    assert taken == known

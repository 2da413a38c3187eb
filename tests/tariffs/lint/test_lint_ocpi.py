"""Lint on OCPI's JSON: the same rules, at the places of the JSON text."""

from __future__ import annotations

import json

from tariffs.lint.linter import REPAIRED, UNREADABLE, lint_ocpi

TARIFF = {
    "country_code": "DE",
    "id": "1",
    "currency": "EUR",
    "elements": [
        {"price_components": [{"type": "ENERGY", "price": 0.4, "vat": 19, "step_size": 1}]},
        {
            "price_components": [
                {"type": "FLAT", "price": 1, "vat": 19, "step_size": 1},
                {"type": "ENERGY", "price": 0.3, "vat": 19, "step_size": 1},
            ],
            "restrictions": {"min_kwh": 20000},
        },
    ],
    "tax_included": "NO",
    "last_updated": "2026-01-01T00:00:00Z",
}


def test_findings_stand_where_the_json_has_them() -> None:
    text = json.dumps(TARIFF, indent=1)

    found = lint_ocpi(text.encode(), "t.json")

    lines = text.splitlines()
    at = {finding.rule: lines[finding.line - 1].strip() for finding in found}
    assert at["unreachable"] == "{"
    assert '"ENERGY"' in lines[next(f.line for f in found if f.rule == "unreachable")]
    assert at["threshold-unit"] == '"min_kwh": 20000'
    assert "de-further-fees" in at


def test_what_is_refused_has_its_place() -> None:
    text = json.dumps(TARIFF, indent=1).replace('"price": 0.3', '"price": "cheap"')

    [found] = lint_ocpi(text.encode(), "t.json")

    assert found.rule == UNREADABLE
    assert '"price": "cheap"' in text.splitlines()[found.line - 1]
    assert found.message.startswith("elements[1].price_components[1].price: ")


def test_what_is_repaired_is_a_warning() -> None:
    text = json.dumps(TARIFF).replace('"price": 0.4', '"price": "0.4"')

    assert REPAIRED in {finding.rule for finding in lint_ocpi(text.encode(), "t.json")}


def test_bytes_that_are_no_json_are_a_finding() -> None:
    for data in (b"", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"id": NaN}'):
        assert [finding.rule for finding in lint_ocpi(data, "t.json")] == [UNREADABLE]

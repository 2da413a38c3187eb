"""What things may be called in declarations: an id goes into addresses, files, logs and tables."""

from __future__ import annotations

import pytest

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.desk.master_data_files import MasterData, read_master_data
from ledger.master_data.tokens import AN_ID
from tests.depot import declared

BODIES = {
    "legal_entities": "{name: A, country: DE, time_zone: Europe/Berlin, invoice_prefix: A}",
    "sites": "{time_zone: Europe/Berlin, country: DE, legal_entity: a, currency: EUR}",
    "stations": "{site: yard}",
    "customers": "{name: Ada}",
}
SECTION = pytest.mark.parametrize("section", BODIES)


def read(
    section: str, name: str, body: str | None = None, known: Declarations | None = None
) -> MasterData:
    text = f"{section}:\n  ? {name}\n  : {body or BODIES[section]}\n"
    return read_master_data([(text, "x.yaml")], known or declared())


@SECTION
@pytest.mark.parametrize(
    "name",
    [
        '""', '" A"', '"A\\t"', '"A\\r\\nB"', '"\\e[31m"', '"a\\u202Eb"', '"\\uFFFE"',
        f"\"{'A' * 256}\"",
    ],
)  # fmt: skip
def test_a_name_that_nobody_sees_or_that_ends_a_line_is_no_id(section: str, name: str) -> None:
    assert [each.message for each in read(section, name).problems] == [f"an id is {AN_ID}"]


@SECTION
@pytest.mark.parametrize("name", ["A", "a/b c", "Zürich-01", '"%41"', '"=1+1"', f'"{"A" * 255}"'])
def test_any_other_text_on_one_line_is_an_id(section: str, name: str) -> None:
    assert read(section, name).problems == []


def test_what_was_called_otherwise_before_is_withdrawn() -> None:
    known = declared((Kind.STATION, " A ", declared().station("CS-1", BEGINNING), BEGINNING))

    data = read("stations", '" A "', "null", known)

    assert data.problems == []
    assert [(each.key, each.entity) for each in data.changes] == [(" A ", None)]


@pytest.mark.parametrize(
    "text",
    ['customers: {ada: {name: "A\\0"}}', 'tokens: {"A\\0": {customer: a}}', '"\\x00": {}',
     'tokens: {A1: {customer: a, group: "\\u0000"}}', 'sites: {a: {name: "\\u0000"}}'],
)  # fmt: skip
def test_no_text_of_a_file_holds_what_no_table_does(text: str) -> None:
    problems = read_master_data([(text, "x.yaml")], declared()).problems

    assert any("it holds the character U+0000" in each.message for each in problems)

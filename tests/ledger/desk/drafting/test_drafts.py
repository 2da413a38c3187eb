"""Drafts are kept whole, whatever they say, and each names who kept it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.desk.drafting.drafts import (
    DraftTextError,
    UnknownDraftError,
    draft_of_version,
    draft_text,
    drafts,
    find_draft,
    keep_draft,
    read_draft,
)
from tests.tree import EXAMPLES

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
PLAIN = "tariff: plain\ncurrency: EUR\nelements:\n  - energy: 0.40 per kWh\n"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        yield opened


def test_a_draft_is_found_with_its_text_and_the_version_that_it_would_be(
    connection: Connection[Any],
) -> None:
    kept = keep_draft(connection, PLAIN, by="anna", at=NOW)

    assert find_draft(connection, kept.number) == kept
    assert (kept.tariff_id, kept.by, kept.at, kept.is_readable) == ("plain", "anna", NOW, True)
    assert draft_text(connection, kept) == PLAIN
    assert draft_of_version(connection, kept.version) == kept


def test_a_text_with_problems_is_kept_too(connection: Connection[Any]) -> None:
    first = keep_draft(connection, PLAIN, by="anna", at=NOW)
    broken = keep_draft(
        connection, "tariff plain\n", by="anna", at=NOW, based_on=first.number, about="plain"
    )

    assert (broken.tariff_id, broken.version, broken.is_readable) == ("plain", "", False)
    assert broken.based_on == first.number
    assert draft_text(connection, broken) == "tariff plain\n"
    assert draft_of_version(connection, broken.version) is None


def test_an_example_that_costs_otherwise_is_a_problem_of_the_draft() -> None:
    text = (EXAMPLES / "tariffs" / "time-of-use.yaml").read_text("utf-8")

    assert read_draft(text)[1] == []
    tariff, problems = read_draft(text.replace("14.64", "14.65"))

    assert tariff is None
    assert "costs 14.64" in str(problems[0])


def test_examples_are_so_much_work_and_no_more() -> None:
    example = "  - {time_zone: UTC, starts: 2026-03-01 10:00, ends: %s, kwh: 1, total: 0.40}\n"
    day, years = example % "2026-03-01 11:00", 14 * (example % "2027-03-01 11:00")

    assert read_draft(PLAIN + "examples:\n" + day)[1] == []
    tariff, problems = read_draft(PLAIN + "examples:\n" + years)

    assert tariff is None
    assert "the examples are too much work: 1 elements times" in str(problems[0])


def test_sending_a_form_twice_keeps_one_draft(connection: Connection[Any]) -> None:
    first = keep_draft(connection, PLAIN, by="anna", at=NOW)
    again = keep_draft(connection, PLAIN.replace("\n", "\r\n"), by="anna", at=NOW)
    other = keep_draft(connection, PLAIN, by="ben", at=NOW)

    assert again == first
    assert [each.number for each in drafts(connection)] == [other.number, first.number]
    assert drafts(connection, tariff_id="plain", before=other.number) == [first]
    assert drafts(connection, tariff_id="") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (" \n", "it is empty"),
        ("tariff: a\0b\n", "U.0000"),
        ("tariff: \ud800\n", "surrogate"),
        ("# " + "x" * 4_000_000, "at most 4000000"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    connection: Connection[Any], text: str, why: str
) -> None:
    with pytest.raises(DraftTextError, match=why):
        keep_draft(connection, text, by="anna", at=NOW)

    assert drafts(connection) == []


@pytest.mark.parametrize("number", [0, -1, 7, 2**63, 10**30])
def test_nobody_goes_on_from_a_draft_that_is_not_there(
    connection: Connection[Any], number: int
) -> None:
    assert find_draft(connection, number) is None
    with pytest.raises(UnknownDraftError):
        keep_draft(connection, PLAIN, by="anna", at=NOW, based_on=number)


def test_a_draft_reads_no_file_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.csv").write_text("starts_at,price\n2026-01-01T00:00:00Z,0.1\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    text = PLAIN + "price_series: {interval: 1 h, file: prices.csv}\n"

    tariff, problems = read_draft(text)

    assert tariff is None
    assert "there is no file beside this text" in str(problems[0])


def test_a_draft_never_changes(connection: Connection[Any]) -> None:
    keep_draft(connection, PLAIN, by="anna", at=NOW)

    with pytest.raises(psycopg.errors.DatabaseError, match="what was recorded stays"):
        connection.execute("UPDATE tariff_draft SET text = 'x'")

"""`wattledger journal`, `numbers` and `balance --as-of`, as a finance team calls them."""

from __future__ import annotations

import csv
import json
import resource
from pathlib import Path

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from tests.charging_day import PARTITIONS
from tests.projections.books_of_a_day import books_of_a_day, tamper


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for files, beside the books of a day."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    books_of_a_day(database)
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def test_it_is_shown_printed_and_written_and_all_are_the_same(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["journal", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "receivable:unbilled" in shown
    assert "the first 1 entries" in shown
    assert run(["journal", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert run(["journal", "--format", "csv"]) == 0
    printed = capsys.readouterr().out

    assert run(["journal", "--output", str(place / "all.csv")]) == 0
    assert f"{len(entries)} entries written" in capsys.readouterr().out
    with (place / "all.csv").open(encoding="utf-8", newline="") as file:
        assert file.read() == printed
        file.seek(0)
        rows = list(csv.DictReader(file))
    assert [row["entry"] for row in rows] == [
        each["entry"] for each in entries for _ in each["postings"]
    ]
    for name in ("all.xlsx", "all.beancount"):
        assert run(["journal", "--output", str(place / name)]) == 0
        assert (place / name).stat().st_size > 0
    assert sorted(each.name for each in place.iterdir()) == [
        "all.beancount",
        "all.csv",
        "all.xlsx",
    ]


def test_a_chart_of_accounts_names_them_and_may_lack_none(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart, output = place / "books.yaml", place / "all.csv"
    chart.write_text('accounts: {"receivable:*": {number: 1400, name: Owed}}', "utf-8")
    words = ["journal", "--accounts", str(chart), "--output", str(output)]
    assert run(words) == WRONG
    assert "lacks expected_tax, revenue:energy" in capsys.readouterr().err
    assert not output.exists()
    chart.write_text("accounts: {revenue: 7}", "utf-8")
    assert run(words) == WRONG
    assert f"{chart}:1:" in capsys.readouterr().err

    chart.write_text('accounts: {"*": {number: "0400", name: All}}', "utf-8")
    assert run(words) == 0
    with output.open(encoding="utf-8", newline="") as file:
        assert {row["account_number"] for row in csv.DictReader(file)} == {"0400"}


def test_a_declared_chart_names_them_where_no_file_is_given(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def numbers(*words: str) -> set[str]:
        capsys.readouterr()
        assert run(["journal", "--format", "csv", *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        return {row["account_number"] for row in csv.DictReader(lines)}

    assert numbers() == {""}
    chart, other = place / "books.yaml", place / "other.yaml"
    chart.write_text('accounts: {"receivable:*": {number: 1400}}', "utf-8")
    assert run(["apply", str(chart)]) == 0
    assert run(["journal", "--format", "csv"]) == WRONG
    assert "the chart of accounts lacks" in capsys.readouterr().err
    assert run(["journal"]) == 0

    chart.write_text('accounts: {"*": {number: "0400"}}', "utf-8")
    other.write_text('accounts: {"*": {number: "0500"}}', "utf-8")
    assert run(["apply", str(chart)]) == 0

    assert numbers() == {"0400"}
    assert numbers("--accounts", str(other)) == {"0500"}


def test_what_cannot_be_written_is_said_and_leaves_what_was_there(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = place / "kept.csv"
    kept.write_text("before", "utf-8")
    for words, said in (
        (["--format", "xlsx"], "needs --output"),
        (["--output", str(place / "all.pdf")], "say --format"),
        (["--output", str(place / "nowhere" / "all.csv")], "cannot write"),
        (["--output", str(kept), "--legal-entity", "nobody"], "there are watt"),
    ):
        assert run(["journal", *words]) == WRONG, words
        assert said in capsys.readouterr().err
    assert kept.read_text("utf-8") == "before"
    assert run(["journal", "--format", "pdf"]) == MISUSED


@pytest.mark.parametrize("name", ["full.csv", "full.beancount"])
def test_a_full_disk_is_said_and_leaves_what_was_there(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    kept = place / name
    kept.write_text("before", "utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        assert run(["journal", "--output", str(kept)]) == WRONG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert f"cannot write {kept}" in capsys.readouterr().err
    assert [each.name for each in place.iterdir()] == [name]
    assert kept.read_text("utf-8") == "before"


@pytest.mark.parametrize("limit", ["-1", "0", "1000001", "9" * 30])
@pytest.mark.parametrize(
    "words", [["journal"], ["invoices"], ["sessions"], ["sessions", "held"], ["tokens", "unknown"]]
)
def test_a_list_of_fewer_than_one_or_more_than_a_million_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], limit: str
) -> None:
    del place
    assert run([*words, "--limit", limit]) == MISUSED
    assert "--limit" in capsys.readouterr().err


def test_the_balance_is_told_as_of_a_day(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del place
    found = []
    for words in (["--as-of", "2026-03-01"], ["--as-of", "2026-03-02"], ["--legal-entity", "watt"]):
        run(["balance", "--json", *words])
        balance = json.loads(capsys.readouterr().out)["trial_balance"]
        found.append({each["account"]: each["debit_minor"] for each in balance["accounts"]})
    before, on_the_day, of_one = found

    assert before == {}
    assert on_the_day["receivable:invoiced"] == 1071
    assert of_one == on_the_day


def test_the_series_of_numbers_are_shown_whole_and_with_what_is_missing(
    place: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del place
    assert run(["numbers"]) == 0
    shown = capsys.readouterr().out
    assert "every number has its document" in shown
    assert "{prefix}-{year}-{number:06}" in shown
    tamper(database, "UPDATE issued_invoice SET place = 9, number = 'W-2026-000009'"
                     " WHERE number = (SELECT max(number) FROM issued_invoice)")  # fmt: skip

    assert run(["numbers"]) == 1
    shown = capsys.readouterr().out
    assert "are missing before W-2026-000009" in shown
    assert "the series are not whole" in shown
    assert run(["numbers", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["is_whole"], found["series"][0]["last"]) == (False, 9)
    assert found["series"][0]["format"] == "{prefix}-{year}-{number:06}"
    assert (found["series"][0]["start"], found["series"][0]["format_since"]) == (1, 1)

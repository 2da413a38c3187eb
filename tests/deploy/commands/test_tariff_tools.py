"""`wattledger tariff lint|diff|calendar`, as a person or a script calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run
from ledger.desk.apply import ProblemsError
from ledger.desk.publish import read_tariffs
from tests.tree import ROOT

EXAMPLES = ROOT / "examples" / "tariffs"
TIME_OF_USE = str(EXAMPLES / "time-of-use.yaml")
ENERGY_ONLY = str(EXAMPLES / "energy-only.yaml")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text("tariff: b\ncurrency: EUR\nelements:\n  - enrgy: 1\n", "utf-8")
    return path


def test_lint_reads_folders_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "lint", str(EXAMPLES)]) == 0

    out = capsys.readouterr().out
    assert "time-of-use.yaml:" in out
    assert "[not-in-ocpi]" in out
    assert out.splitlines()[-1].startswith("6 files: 0 errors, ")
    assert run(["tariff", "lint", str(EXAMPLES / "energy-only.yaml")]) == 0
    assert capsys.readouterr().out.endswith("1 file: 0 errors, 0 warnings, 1 note.\n")


def test_lint_fails_on_errors_and_when_strict_on_warnings(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tariff", "lint", str(broken)]) == 1
    out = capsys.readouterr().out
    assert f"{broken}:4:5: error:" in out
    assert out.endswith("1 file: 2 errors, 0 warnings, 0 notes.\n")
    assert run(["tariff", "lint", TIME_OF_USE, "--strict"]) == 1


def test_lint_goes_on_past_a_file_that_is_not_utf8(
    tmp_path: Path, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"tariff: t\nname: Caf\xe9\n")

    assert run(["tariff", "lint", str(latin), str(broken)]) == 1

    out = capsys.readouterr().out
    assert f"{latin}:2:10: error: not UTF-8" in out
    assert f"{broken}:4:5: error:" in out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_tariff_carries_golden_examples(path: Path) -> None:
    assert "\nexamples:\n" in path.read_text("utf-8")
    assert run(["tariff", "lint", str(path)]) == 0


def test_lint_as_json_has_each_finding_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "lint", TIME_OF_USE, "--country", "DE", "--json"]) == 0

    content = json.loads(capsys.readouterr().out)
    rules = {finding["rule"] for finding in content["findings"]}
    assert "de-signed-values" in rules
    assert set(content["findings"][0]) == {
        "source",
        "line",
        "column",
        "severity",
        "rule",
        "message",
    }


def test_lint_without_files_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "lint"]) == 1
    assert "needs at least one file" in capsys.readouterr().err


def test_diff_speaks_in_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "diff", ENERGY_ONLY, TIME_OF_USE, "--week", "2026-03-02"]) == 0

    out = capsys.readouterr().out
    assert "Energy Mon-Fri 07:00-20:00 rises from " in out
    assert "Element 2 (peak) is added: " in out
    assert "--hours lists them" in out


def test_diff_lists_the_hours_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "diff", ENERGY_ONLY, TIME_OF_USE, "--hours"]) == 0

    assert "Mon 07:00" in capsys.readouterr().out


def test_diff_of_a_tariff_with_itself_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "diff", TIME_OF_USE, TIME_OF_USE]) == 0

    assert capsys.readouterr().out == "Nothing changes.\n"


def test_a_file_with_problems_is_refused_with_the_place(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tariff", "diff", TIME_OF_USE, str(broken)]) == 1

    assert f"{broken}:4:5: " in capsys.readouterr().err


def test_calendar_shows_the_week_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(
        ["tariff", "calendar", TIME_OF_USE, "--week", "2026-10-25", "--time-zone", "Europe/Berlin"]
    )

    out = capsys.readouterr().out
    assert code == 0
    assert "week of 2026-10-19, Europe/Berlin" in out
    assert "Mon 19.10. ▁" in out
    assert "The first 15 min of every stretch of parking cost nothing." in out


def test_calendar_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "week.html"

    code = run(["tariff", "calendar", TIME_OF_USE, "--html", str(page), "--day", "2026-03-29"])

    assert code == 0
    assert "week of 2026-03-23" in capsys.readouterr().out
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_calendar_as_json_has_stretches_with_exact_prices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["tariff", "calendar", TIME_OF_USE, "--week", "2026-03-02", "--json"]) == 0

    content = json.loads(capsys.readouterr().out)
    assert content["fees"]["energy"][0]["price"]["price"] == "0.39"
    assert content["first_day"] == "2026-03-02"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--after", "soon"], "is not a duration"),
        (["--week", "2026-03-02", "--day", "2026-03-29"], "is not in the week of 2026-03-02"),
        (["--time-zone", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
        (["--html", "/nowhere/week.html"], "cannot write"),
    ],
)
def test_calendar_refuses_what_it_cannot_show(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tariff", "calendar", TIME_OF_USE, *options]) == 1

    assert sentence in capsys.readouterr().err


def test_schema_prints_the_published_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tariff", "schema"]) == 0

    published = (ROOT / "docs" / "tariff.schema.json").read_text("utf-8")
    assert capsys.readouterr().out == published


def test_lint_and_publish_refuse_a_failing_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "tariff: t\ncurrency: EUR\nelements: [{energy: 0.50 per kWh}]\nexamples:\n"
        "  - name: ten kWh\n    time_zone: Europe/Berlin\n    starts: 2026-03-02 10:00\n"
        "    ends: 2026-03-02 11:00\n    kwh: 10\n    total: 5.01\n"
    )
    path = tmp_path / "t.yaml"
    path.write_text(text, "utf-8")

    assert run(["tariff", "lint", str(path)]) == 1
    with pytest.raises(ProblemsError):
        read_tariffs([(text, str(path))])

    found = capsys.readouterr().out
    assert f"{path}:10:5: error: example 'ten kWh' costs 5.00 EUR in total, not 5.01 EUR" in found
    assert read_tariffs([(text.replace("5.01", "5.00"), str(path))])

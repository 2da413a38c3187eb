"""`wattledger tariff simulate`, as a person or a script calls it."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.cli import run
from tests.tree import EXAMPLES

TARIFFS = EXAMPLES / "tariffs"
NEW = str(TARIFFS / "time-of-use.yaml")
OLD = str(TARIFFS / "energy-only.yaml")


@pytest.fixture
def past(tmp_path: Path) -> Path:
    path = tmp_path / "past.jsonl"
    lines = [
        {
            "id": f"s{number}",
            "customer": "[/anna]" if number % 2 else "ben",
            "site": "harbour",
            "time_zone": "Europe/Berlin",
            "starts_at": f"2026-03-{number:02}T10:00:00Z",
            "ends_at": f"2026-03-{number:02}T12:30:00Z",
            "energy_wh": 1000 * number,
            "billed_after_taxes": f"{number}.00",
        }
        for number in range(1, 21)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


def test_tables_a_page_and_csv_say_the_same_total(
    past: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, table = tmp_path / "page.html", tmp_path / "changes.csv"
    command = ["tariff", "simulate", NEW, "--sessions", str(past)]

    assert run([*command, "--html", str(page), "--csv", str(table)]) == 0
    text = capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)

    assert content["total"]["sessions"] == 20
    assert content["total"]["old_minor"] == 21000
    new = f"{content['total']['new_minor'] / 100:.2f}"
    assert new in text
    assert new in page.read_text("utf-8")
    assert f"total,total,20,210,EUR,210.00,{new}," in table.read_text("utf-8")
    assert "[/anna]" in text


def test_a_saved_columnar_file_gives_the_same(
    past: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "past.npz"
    against = ["--against", OLD, "--json"]

    assert (
        run(["tariff", "simulate", NEW, "--sessions", str(past), "--save", str(saved), *against])
        == 0
    )
    first = json.loads(capsys.readouterr().out)
    assert run(["tariff", "simulate", NEW, "--sessions", str(saved), *against]) == 0

    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "needs --sessions FILE, or --from DATE and --to DATE"),
        (["--from", "2026-01-01"], "needs --sessions FILE, or --from DATE and --to DATE"),
        (["--sessions", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["--sessions", "../README.md"], "cannot read"),
    ],
)
def test_what_cannot_be_read_is_said(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tariff", "simulate", NEW, *arguments]) == 1
    assert why in capsys.readouterr().err


def test_a_file_that_only_looks_like_columns_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "past.npz"
    path.write_bytes(b"PK nothing")

    assert run(["tariff", "simulate", NEW, "--sessions", str(path)]) == 1
    assert "broken" in capsys.readouterr().err


def test_every_session_has_a_row_and_rows_add_up_to_the_total(
    past: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with past.open("a", encoding="utf-8") as file:
        file.write('\n{"id": "=s21"}')
    rows = tmp_path / "rows.csv"
    command = ["tariff", "simulate", NEW, "--sessions", str(past), "--session-csv", str(rows)]

    assert run([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)

    with rows.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    rated = [row for row in written if not row["left_out"]]
    [left_out] = [row for row in written if row["left_out"]]
    assert [row["session"] for row in rated] == [f"s{number}" for number in range(1, 21)]
    assert sum(Decimal(row["old"]) for row in rated) * 100 == content["total"]["old_minor"]
    assert sum(Decimal(row["new"]) for row in rated) * 100 == content["total"]["new_minor"]
    assert all(Decimal(r["new"]) - Decimal(r["old"]) == Decimal(r["change"]) for r in rated)
    assert (rated[0]["energy_kwh"], rated[0]["started_at"]) == ("1", "2026-03-01T10:00:00Z")
    assert left_out["place"] == f"{past}:21"
    assert "starts_at" in left_out["left_out"]

"""What is set aside, as a person sees it and lets it be taken again."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from tests.charging_day import PARTITIONS, declare_fleet, everywhere, write_log
from tests.faults.broken_books import BAD, is_identical, states, story, work

REFUSED = "CHECK (energy_wh IS DISTINCT FROM 5666 OR state <> 'rated')"


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Books in which one stop could not be stored."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE books.session ADD CONSTRAINT refused {REFUSED}".encode())
    write_log(database, [*everywhere(declare_fleet(database), -1), *story()])
    work(database)
    return database


def test_a_line_is_listed_alarmed_and_taken_again_once_that_is_mended(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "set-aside", "--json"]) == WRONG
    [line] = json.loads(capsys.readouterr().out)["lines"]
    assert (line["station_id"], line["reason"], line["taken_at"]) == (BAD, "not_taken", None)
    assert "refused" in line["why"]
    where = f"{line['partition']}/{line['position']}/{line['line']}"
    run(["balance", "--json"])
    assert json.loads(capsys.readouterr().out)["lines_set_aside"] == 1

    assert run(["log", "take-again", where, "--json"]) == WRONG
    [done] = json.loads(capsys.readouterr().out)
    assert done["is_set_aside"]
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("ALTER TABLE books.session DROP CONSTRAINT refused")
    assert run(["log", "take-again", "--station", BAD, "--by", "ann"]) == 0

    assert f"{where} is taken" in capsys.readouterr().out
    assert states(place)["11"] == "rated"
    assert run(["log", "set-aside"]) == 0
    assert run(["log", "set-aside", "--include-taken"]) == 0
    assert where in capsys.readouterr().out
    assert is_identical(place)


def test_a_line_that_is_not_set_aside_is_not_taken_again(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "take-again", "0/0/0"]) == WRONG
    assert "no line is set aside at 0/0/0" in capsys.readouterr().err
    assert run(["log", "take-again"]) == WRONG
    assert "say which" in capsys.readouterr().err
    assert states(place)["11"] != "rated"

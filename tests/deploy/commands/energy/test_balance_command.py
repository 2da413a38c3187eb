"""`wattledger balance`: from what was kept up, and counted anew where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from deploy.settings import NAMES
from tests.charging_day import PARTITIONS, start16, stop16
from tests.projections.books_of_a_day import books_of_a_day, go_on, tamper


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The books of a day."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return books_of_a_day(database)


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert run(["balance", "--json", *words]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_came_last_is_taken_in_before_it_is_shown(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shown(capsys)["energy"]["total"]["metered_wh"]
    go_on(place, [start16("CS-OLD-1", 400, 31, "FLEET1", 7000), stop16("CS-OLD-1", 420, 31, 8250)])
    after = shown(capsys)["energy"]
    of_one = shown(capsys, "--station", "CS-OLD-1", "--limit", "1")["energy"]

    assert int(after["total"]["metered_wh"]) - int(before) == 1250
    assert after["is_balanced"]
    assert (after["days_left_out"], after["days_off"]) == (0, 0)
    assert [day["station_id"] for day in of_one["days"]] == ["CS-OLD-1"]


@pytest.mark.usefixtures("place")
def test_a_recount_agrees_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "--recount")

    assert found["recount"] == {
        "agrees": True, "stations": 4, "stations_left_out": [], "days": [], "accounts": []
    }  # fmt: skip
    assert run(["balance", "--recount"]) == 0
    assert "4 stations and every posting agree" in capsys.readouterr().out
    assert "recount" not in shown(capsys)


def test_what_was_changed_in_the_database_is_named(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(capsys)
    tamper(place, "UPDATE energy_day SET metered_wh = metered_wh + 7, dropped_wh = dropped_wh + 7"
                  " WHERE station_id = 'CS-OLD-1'")  # fmt: skip
    tamper(place, "UPDATE booked_sum SET debit_minor = debit_minor + 1, credit_minor ="
                  " credit_minor + 1 WHERE ctid = (SELECT min(ctid) FROM booked_sum)")  # fmt: skip
    found = shown(capsys, "--recount", code=1)["recount"]

    [day] = found["days"]
    assert (day["station_id"], day["day"]) == ("CS-OLD-1", "2026-03-02")
    assert int(day["kept"]["metered_wh"]) - int(day["counted"]["metered_wh"]) == 7
    assert [each["span"] for each in found["accounts"]] == ["day", "hour", "month"]
    assert run(["balance", "--recount"]) == 1
    printed = capsys.readouterr().out
    assert "station CS-OLD-1, 2026-03-02: not kept as it is counted" in printed
    assert "1 days and 3 sums of accounts are not kept" in printed


def test_a_lost_fact_is_seen_by_a_recount(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys)
    tamper(
        place,
        """DELETE FROM fact WHERE station_id = 'CS-OLD-2' AND transaction_ref = '21'
           AND position = (SELECT max(position) FROM fact WHERE transaction_ref = '21')""",
    )
    assert shown(capsys)["energy"]["is_balanced"]
    found = shown(capsys, "--recount", "--station", "CS-OLD-2", code=1)["recount"]
    assert [day["station_id"] for day in found["days"]] == ["CS-OLD-2"]

"""`wattledger leakage`: each Wh not billed has its reason, its session and its value."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from projections.energy.leakage import MEANINGS, Leak
from tests.charging_day import PARTITIONS, STATIONS, event201, start16, stop16
from tests.projections.books_of_a_day import books_of_a_day, go_on, tamper

Captured = pytest.CaptureFixture[str]
DAY = ("--from", "2026-03-02", "--to", "2026-03-03")


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The books of a day, with energy between sessions and a session under way."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    between = [start16("CS-OLD-1", 400, 31, "FLEET1", 7250), stop16("CS-OLD-1", 420, 31, 8250)]
    going = [
        event201("CS-NEW-1", 300, "Started", "C", 0, 4100, token="BEARER1"),
        event201("CS-NEW-1", 310, "Updated", "C", 1, 4900),
    ]
    return books_of_a_day(database, *between, *going)


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert run(["leakage", "--json", *words]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("place")
def test_each_wh_has_its_reason_its_session_and_its_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = shown(capsys, *DAY)
    total = found["match"]["total"]
    reasons = {each["reason"]: each for each in found["reasons"]}
    rows = {(each["reason"], each["session_id"]): each for each in found["not_billed"]}

    assert int(total["metered_wh"]) == int(total["billed_wh"]) + int(total["not_billed_wh"])
    assert int(total["rated_wh"]) == int(total["billed_wh"]) + 4000
    assert sum(int(each["energy_wh"]) for each in reasons.values()) == int(total["not_billed_wh"])
    assert list(reasons) == ["held", "open", "free_by_rule", "unattributed"]
    held = rows["held", "CS-NEW-2/B/20260302T071000Z"]
    assert (held["energy_wh"], held["currency"]) == ("3000", "EUR")
    assert Decimal(held["value"]) == 3 * Decimal(held["price_per_kwh"]) > 0
    assert held["because"]
    assert rows["open", "CS-NEW-1/C/20260302T120000Z"]["energy_wh"] == "800"
    free = Decimal(reasons["free_by_rule"]["values"]["EUR"])
    assert free == 4 * Decimal(held["price_per_kwh"])  # as if nobody knew the resident
    assert rows["unattributed", None]["no_price"] is None


@pytest.mark.parametrize(("lines", "reason"), [(["1"], "given_back"), (["2"], None)])
def test_energy_that_a_person_gave_back_is_no_rule_s(
    database: str, place: str, lines: list[str], reason: str | None, capsys: Captured
) -> None:
    assert place == database
    session = "CS-OLD-1/12/20260302T070200Z"  # energy, then parking
    why = ["--reason", "goodwill", "--by", "ann"]
    assert run(["dispute", session, "--line", *lines, *why]) == 0
    assert run(["dispute", session, "--line", *lines, "--resolve", "uphold", *why]) == 0
    capsys.readouterr()
    rows = shown(capsys, *DAY)["not_billed"]

    assert [each["reason"] for each in rows if each["session_id"] == session] == [
        each for each in [reason] if each
    ]


@pytest.mark.usefixtures("place")
def test_it_is_chosen_by_station_site_and_day(capsys: pytest.CaptureFixture[str]) -> None:
    of_one = shown(capsys, "--station", "CS-OLD-1")
    assert {each["station_id"] for each in of_one["match"]["days"]} == {"CS-OLD-1"}
    assert [each["reason"] for each in of_one["reasons"]] == ["unattributed"]
    assert shown(capsys, "--to", "2026-03-02")["not_billed"] == []
    assert shown(capsys, "--from", "2026-03-03")["not_billed"] == []
    few = shown(capsys, "--limit", "1")
    assert len(few["not_billed"]) == len(few["match"]["days"]) == 1
    assert few["not_billed_left_out"] > 0
    assert few["reasons"] == shown(capsys)["reasons"]
    assert run(["leakage", "--site", "nowhere"]) == WRONG
    assert "no site nowhere" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_people_read_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leakage", *DAY]) == 0
    printed = capsys.readouterr().out

    assert "From 2026-03-02 to 2026-03-02, both included." in printed
    assert "rose between sessions: nobody's" in printed
    assert "EUR" in printed


def test_a_station_without_a_tariff_has_no_value_and_says_so(
    place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATIONS, "CS-X", STATIONS["CS-OLD-1"])
    go_on(place, [start16("CS-X", 500, 9, "FLEET1", 0), stop16("CS-X", 510, 9, 1000)])
    found = shown(capsys, "--station", "CS-X")

    [each] = found["not_billed"]
    assert (each["value"], each["price_per_kwh"]) == (None, None)
    assert each["no_price"]["code"] == "station_undeclared"
    assert found["reasons"][0]["unpriced_wh"] == "1000"
    assert run(["leakage", "--station", "CS-X"]) == 0
    assert "CS-X" in capsys.readouterr().out


def test_a_day_that_does_not_add_up_is_said(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys)
    for table, key in (("energy_day", "day"), ("energy_month", "month")):
        off = "" if key == "day" else ", days_off = 1"
        tamper(place, f"UPDATE {table} SET metered_wh = metered_wh + 1{off}"
                      " WHERE station_id = 'CS-OLD-1'")  # fmt: skip
    assert shown(capsys, *DAY, code=1)["match"]["total"]["difference_wh"] == "1"
    assert run(["leakage", *DAY]) == 1
    assert "1 days do not add up" in capsys.readouterr().out


def test_each_reason_has_its_words() -> None:
    assert set(MEANINGS) == set(Leak)

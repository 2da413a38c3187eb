"""`wattledger period`, as two people of a finance team close March with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from tests.charging_day import PARTITIONS, start16, stop16, tick, write_log
from tests.ledger.desk.closing.books_of_march import (
    HOUR,
    MARCH_ENDS,
    books_of_march,
    minutes,
    rows,
)
from tests.projections.books_of_a_day import tamper, work

SIGN_OFF = ["period", "sign-off", "2026-03", "held", "--reason", "being looked into"]


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return books_of_march(database)


def read(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:  # noqa: ANN401
    capsys.readouterr()
    assert run([*words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_two_people_close_march_by_its_checklist(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = read(capsys, "period", "check", "2026-03", status=1)
    assert (checked["legal_entity"], checked["state"]) == ("watt", "open")
    assert {each["item"]: each["count"] for each in checked["items"]} == {
        "held": 2, "waiting": 0, "unbilled": 0, "set_aside": 0, "numbers": 0, "energy": 0,
        "money": 0, "replay": 0,
    }  # fmt: skip
    assert [each["item"] for each in checked["items"] if not each["is_settled"]] == ["held"]

    assert run(["period", "close", "2026-03", "--by", "bob"]) == WRONG
    assert "2026-03 is open: it has no close" in capsys.readouterr().err
    done = read(capsys, "period", "soft-close", "2026-03", "--by", "ann")
    assert done == {"legal_entity": "watt", "month": "2026-03", "state": "soft_closed"}
    assert run(["period", "close", "2026-03", "--by", "ann"]) == WRONG
    assert "somebody else" in capsys.readouterr().err
    assert run(["period", "close", "2026-03", "--by", "bob"]) == WRONG
    assert "held (2)" in capsys.readouterr().err
    assert run([*SIGN_OFF, "--by", "bob"]) == 0
    assert run(["period", "check", "2026-03"]) == 0
    assert "by bob: being looked into" in " ".join(capsys.readouterr().out.split())
    assert run(["period", "close", "2026-03", "--by", "bob"]) == 0

    [listed, march] = read(capsys, "period", "list")
    assert (march["month"], march["state"]) == ("2026-03", "closed")
    assert (march["soft_closed_by"], march["closed_by"]) == ("ann", "bob")
    # The documents were dated on 1 April.
    assert (listed["month"], listed["state"]) == ("2026-04", "open")
    assert place


def test_what_comes_after_a_close_is_shown_with_what_was_kept(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(capsys)
    begins = minutes(MARCH_ENDS - 5 * HOUR)
    late = [start16("CS-OLD-1", begins, 77, "FLEET1", 9000), *tick(begins + 1)]
    write_log(place, [*late, stop16("CS-OLD-1", begins + 30, 77, 9500), *tick(begins + 31)])
    work(place)

    shown = read(capsys, "period", "show", "2026-03")
    [close] = shown["closes"]
    assert close["is_intact"]
    assert shown["trial_balance_moved_minor"] == 0
    assert set(close["positions"]) == {"-1", "0", "1"}
    assert close["reports"]["held"]["sessions"] == 2
    assert [each["act"] for each in shown["moves"]] == ["soft-close", "sign-off", "close"]
    assert shown["came_afterwards"]["count"] == 1
    [entry] = shown["came_afterwards"]["entries"]
    assert entry["period"] == "2026-04"
    assert run(["period", "show", "2026-03"]) == 0
    text = capsys.readouterr().out
    assert "Its trial balance is what it was." in text
    assert entry["entry"] in text.replace("\n", "")

    entries = read(capsys, "journal", "--period", "2026-04")
    assert {(each["period"], each["original_period"]) for each in entries} == {
        ("2026-04", "2026-03"), ("2026-04", "2026-04"),
    }  # fmt: skip
    march = read(capsys, "balance", "--period", "2026-03")["trial_balance"]
    assert march["accounts"] == [
        {**each, "balance_minor": each["debit_minor"] - each["credit_minor"]}
        if "balance_minor" in march["accounts"][0]
        else each
        for each in close["trial_balance"]
    ]
    assert run(["balance", "--period", "2026-03", "--as-of", "2026-03-31"]) == WRONG


def test_a_trial_balance_that_was_tampered_with_is_found(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(capsys)
    tamper(place, "UPDATE journal_entry SET period = '2026-04' WHERE entry_id LIKE 'rated:%/12/%'")

    shown = read(capsys, "period", "show", "2026-03", status=1)
    assert shown["trial_balance_moved_minor"] > 0
    assert run(["period", "show", "2026-03"]) == 1
    assert "It MOVED by" in capsys.readouterr().out


def test_a_month_is_opened_again_by_two(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    closed(capsys)
    words = ["period", "reopen", "2026-03", "--reason", "an invoice is missing"]
    assert run(words[:3]) == MISUSED
    assert run([*words[:3], "--reason", " "]) == WRONG
    capsys.readouterr()
    assert read(capsys, *words, "--by", "bob")["state"] == "reopening"
    assert run([*words, "--by", "bob"]) == WRONG
    assert read(capsys, *words, "--refuse", "--by", "ann")["state"] == "closed"
    assert run([*words, "--by", "bob"]) == 0
    assert "somebody else opens it" in capsys.readouterr().out
    assert read(capsys, *words, "--by", "ann")["state"] == "open"
    assert rows(place, "SELECT month FROM closed_period") == [("2026-02",)]
    [_, march] = read(capsys, "period", "list", "--legal-entity", "watt")
    assert (march["state"], march["closed_by"]) == ("open", None)


def test_a_replay_may_be_left_out_and_is_signed_off_then(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["period", "soft-close", "2026-03", "--by", "ann"]) == 0
    assert run([*SIGN_OFF, "--by", "bob"]) == 0
    without = ["--without-replay", "--by", "bob"]
    assert run(["period", "close", "2026-03", *without]) == WRONG
    assert "replay (not looked at)" in capsys.readouterr().err
    words = ["period", "sign-off", "2026-03", "replay", "--reason", "ran over night"]
    assert run([*words, "--by", "bob"]) == WRONG
    assert "there is nothing to sign off" in capsys.readouterr().err
    assert run([*words, *without]) == 0
    assert run(["period", "close", "2026-03", *without]) == 0
    assert place


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["check", "2026-3"], "'2026-3' is no month: write it like 2026-03"),
        (["check", "2026-03", "--legal-entity", "nobody"], "there is no legal entity nobody"),
        (["soft-close", "2999-01"], "is not over before 2999-02-01"),
        (["sign-off", "2026-03", "cash", "--reason", "x"], "there are held, waiting"),
        (["reopen", "2026-03", "--reason", "x"], "2026-03 is open: it has no reopen"),
        (["list", "--legal-entity", "nobody"], "there is no legal entity nobody"),
        (["show", "March"], "'March' is no month"),
    ],
)
def test_what_cannot_be_is_said(
    place: str, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert run(["period", *words]) == WRONG
    assert why in " ".join(capsys.readouterr().err.split())
    assert place


def closed(capsys: pytest.CaptureFixture[str]) -> None:
    """Close March."""
    assert run(["period", "soft-close", "2026-03", "--by", "ann"]) == 0
    assert run([*SIGN_OFF, "--by", "bob"]) == 0
    assert run(["period", "close", "2026-03", "--by", "bob"]) == 0
    capsys.readouterr()

"""What is refused about a session at a partner's station, and what the error says to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import run
from deploy.settings import NAMES
from ledger.database import connect
from tests.depot import keep_decisions, rated, session
from tests.projections.audit.charged_elsewhere import books_elsewhere, charge, invoiced
from tests.roaming_ocpi.incoming.partner_stories import PARTITIONS, Told, cdr_of

WHY = ["--reason", "the plug was broken", "--by", "ann"]
SESSION = "partner/NL-TNM/c%2F1"


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return database


def test_it_names_the_cdr_to_dispute_and_credits_nothing_without_it(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [stands] = books_elsewhere(place, Told(cdr_of(id="C/1")))
    first = charge(place, stands)
    [number] = invoiced(place)
    assert first.session_id == SESSION

    for refused in (
        ["credit", number, "--line", "1"],
        ["credit", number],
        ["dispute", number],
        ["dispute", number, "--line", "1"],
        ["dispute", SESSION],
        ["sessions", "correct", SESSION],
        ["sessions", "release", SESSION],
        ["sessions", "write-off", SESSION],
        ["sessions", "take-back", SESSION],
    ):
        assert run([*refused, *WHY]) != 0, refused
        said = capsys.readouterr().err
        assert SESSION in said, refused
        assert "wattledger cdr dispute" in said, refused
        assert "--party NL-TNM --reason WHY" in said, refused
    assert run(["sessions", "correct", "partner-ish", *WHY]) != 0
    assert "there is no session partner-ish" in capsys.readouterr().err

    charge(place, stands, was=first, act="take_back")
    assert run(["credit", number, *WHY]) != 0
    assert "is owed no more: it was given back or credited already" in capsys.readouterr().err


def test_a_line_of_ours_on_an_invoice_with_both_is_given_back_by_itself(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [Told(cdr_of()), Told(cdr_of(id="C2", session_id="S2"))]
    theirs = [charge(place, each) for each in books_elsewhere(place, *told, customer="fleet")]
    ours = rated(session(7, token_uid="fleet-1", started_at=theirs[0].started_at))
    with connect(place) as connection:
        keep_decisions(connection, [ours])
    [number] = invoiced(place, hours=24 * 60)

    assert run(["credit", number, *WHY, "--preview"]) != 0
    assert "session partner/NL-TNM/c1 and 1 more was charged" in capsys.readouterr().err
    codes = [run(["credit", number, "--line", str(line), *WHY, "--preview"]) for line in (1, 2, 3)]
    assert sorted(map(bool, codes)) == [False, True, True]
    assert "4.76 EUR would be owed no more: net 4.00 EUR, tax 0.76 EUR" in capsys.readouterr().out

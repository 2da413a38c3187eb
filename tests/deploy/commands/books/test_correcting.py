"""`wattledger correct` and `sessions correct`, from the dry run to the credit note."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from tests.charging_day import (
    PARTITIONS,
)
from tests.faults.broken_books import is_identical
from tests.projections.correcting.claimed_token import claimed_token

MARCH = ["correct", "--from", "2026-03-01", "--to", "2026-04-01"]


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A day whose bearer's token turns out to be the fleet's."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return claimed_token(database)


def test_it_says_what_differs_and_does_it_only_when_told_to(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(MARCH) == 0
    shown = capsys.readouterr().out
    assert "2 sessions would be billed otherwise" in shown
    assert "fleet" in shown

    assert run([*MARCH, "--apply"]) == WRONG
    assert "--reason" in capsys.readouterr().err
    assert run([*MARCH, "--apply", "--reason", " "]) == WRONG
    assert "say why" in capsys.readouterr().err
    assert run([*MARCH, "--customer", "nobody"]) == WRONG
    assert "no customer nobody" in capsys.readouterr().err
    assert run(["correct", "--from", "2026-03-01"]) == MISUSED
    capsys.readouterr()
    assert run([*MARCH, "--apply", "--reason", "claimed", "--by", "ann", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["sessions"], done["is_applied"], done["unpriced"]) == (2, True, [])

    assert run(MARCH) == 0
    assert "Nothing would be billed otherwise." in capsys.readouterr().out
    assert is_identical(place)


def test_one_session_is_corrected_by_its_id_and_one_that_was_never_priced_is_not(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bearer = "CS-OLD-1/12/20260302T070200Z"
    assert run(["sessions", "correct", bearer, "--reason", " "]) == WRONG
    assert "say why" in capsys.readouterr().err
    assert run(["sessions", "correct", bearer, "--reason", "claimed", "--by", "ann"]) == 0
    assert f"session {bearer} is rated" in capsys.readouterr().out
    with psycopg.connect(place) as connection:
        query = "SELECT revision FROM books.session WHERE session_id = %s"
        assert connection.execute(query, (bearer,)).fetchone() == (2,)
    assert run(["sessions", "held", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)[0]["session"]["session_id"]

    assert run(["sessions", "correct", held, "--reason", "claimed"]) == WRONG

    assert "only a rated one is corrected" in capsys.readouterr().err

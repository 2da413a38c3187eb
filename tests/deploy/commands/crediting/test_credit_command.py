"""`wattledger credit`, `dispute` and `sessions take-back`, as a finance person types them."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare, load_declarations
from tests.charging_day import PARTITIONS, declare_fleet, event201, everywhere, write_log
from tests.depot import NOON
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.test_credited_documents import MONTH_OVER, issue
from tests.ledger.worker.crediting.test_given_back import owed
from tests.ledger.worker.crediting.test_taken_back import waited
from tests.ledger.worker.judged.test_corrections import SESSION, rating, said, shown

NEXT_YEAR = 400 * 24 * 60
WHY = ["--reason", "the barrier was down", "--by", "ann"]


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return database


@pytest.fixture
def number(place: str) -> str:
    """An invoice over session C: energy, then parking."""
    version = declare_fleet(place)
    start = event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1")
    stop = event201("CS-NEW-1", 60, "Ended", "C", 0, 5000)
    parked = said(40, "SuspendedEV", 5000)
    write_log(place, [*everywhere(version, -1), start, parked, stop])
    work(place)
    return issue(place, MONTH_OVER)[0]


def told(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - whatever it printed
    return json.loads(capsys.readouterr().out)


def test_a_line_is_given_back_and_its_note_names_it(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["credit", number, "--line", "2", *WHY, "--preview"]) == 0
    # 20 minutes at 6 EUR an hour, and 19 %.
    assert "2.38 EUR would be owed no more: net 2.00 EUR, tax 0.38 EUR" in capsys.readouterr().out
    assert shown(place)[1] == 1

    assert run(["credit", number, "--line", "2", *WHY, "--json"]) == 0
    done = told(capsys)
    assert (done["is_applied"], done["due_minor"], done["currency"]) == (True, 238, "EUR")
    assert done["sessions"] == [
        {"session_id": SESSION, "revision": 1, "lines": [2], "is_done": True}
    ]
    assert shown(place)[1] == 2
    [note] = issue(place, NEXT_YEAR)
    assert run(["invoice", "show", note]) == 0
    text = capsys.readouterr().out
    assert f"for invoice {number}" in text
    assert "lines 2 of the invoice; revision 2 of the session holds in their place" in text
    assert run(["explain", note, "1"]) == 0
    assert f"line 2 of invoice {number}, owed no more" in capsys.readouterr().out
    assert is_identical(place)


def test_what_was_given_back_is_not_given_back_again(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["credit", number, "--line", "2", *WHY]) == 0
    assert run(["credit", number, "--line", "2", *WHY]) == WRONG
    assert f"line 2 of invoice {number} is owed no more" in capsys.readouterr().err
    issue(place, NEXT_YEAR)
    assert run(["credit", number, "--line", "2", *WHY]) == WRONG

    # The rest of it is, however.
    assert run(["credit", number, *WHY]) == 0
    issue(place, NEXT_YEAR + 600)
    assert run(["credit", number, *WHY]) == WRONG
    assert f"invoice {number} is owed no more" in capsys.readouterr().err
    assert owed(place, "receivable:invoiced") == 0
    assert is_identical(place)


def test_a_line_that_late_facts_changed_since_is_not_given_back(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(place, [said(35, "SuspendedEV", 5000, received=MONTH_OVER + 10)])
    work(place)

    assert run(["credit", number, "--line", "2", *WHY]) == WRONG
    assert "revision 2 holds" in capsys.readouterr().err
    # All of the session is, whatever it costs by now.
    assert run(["credit", number, *WHY]) == 0
    assert rating(place, 3).gross_minor == 0


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["W-1"], "no invoice W-1"),
        (["{number}", "--line", "9"], "has lines 1 to 2, not 9"),
        (["{number}", "--line", "0"], "has lines 1 to 2, not 0"),
    ],
)
def test_what_is_not_there_is_not_given_back(
    place: str, number: str, arguments: list[str], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [each.format(number=number) for each in arguments]

    assert run(["credit", *named, *WHY]) == WRONG

    assert refusal in capsys.readouterr().err
    assert shown(place)[1] == 1


def test_a_credit_note_is_not_credited(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["credit", number, *WHY]) == 0
    # Before its note is issued, too, there is nothing left to give back.
    assert run(["credit", number, *WHY]) == WRONG
    assert f"invoice {number} is owed no more" in capsys.readouterr().err
    [note] = issue(place, NEXT_YEAR)

    assert run(["credit", note, *WHY]) == WRONG

    assert f"name the invoice, {number}" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["invoice", "session"])
def test_a_dispute_is_listed_until_it_is_decided(
    place: str, number: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    what = number if named == "invoice" else SESSION
    assert run(["dispute", what, "--resolve", "reject", *WHY]) == WRONG
    assert f"nobody disputes {what}" in capsys.readouterr().err
    assert run(["dispute", what, "--line", "2", *WHY]) == 0
    capsys.readouterr()
    assert run(["sessions", "held", "--json"]) == 0
    [listed] = told(capsys)
    assert [each["code"] for each in listed["codes"]] == ["disputed"]
    assert shown(place)[1] == 1

    assert run(["dispute", what, "--line", "2", "--resolve", "uphold", *WHY, "--json"]) == 0

    assert told(capsys)["disputed"] == []
    assert rating(place, 2).corrects is not None
    assert rating(place, 1).gross_minor - rating(place, 2).gross_minor == 238
    assert "disputed" not in shown(place)[3]
    assert is_identical(place)


@pytest.mark.parametrize("named", ["invoice", "session"])
def test_a_dispute_about_much_is_upheld_by_two(
    place: str, number: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(place) as connection:
        at = NOON + timedelta(days=1)
        policy = replace(
            load_declarations(connection).policy(at), payment_approval_above=Decimal(1)
        )
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=policy)
        declare(connection, [change], by="a test", at=at)
    what = number if named == "invoice" else SESSION
    uphold = ["dispute", what, "--resolve", "uphold", "--reason", "the camera shows it", "--by"]
    assert run(["dispute", what, *WHY]) == 0

    assert run([*uphold, "ann"]) == 0
    assert "another says the same" in capsys.readouterr().out
    assert run([*uphold, "ANN"]) == WRONG
    assert shown(place)[1] == 1
    assert run([*uphold, "bo"]) == 0

    assert rating(place, 2).gross_minor == 0


def test_what_one_person_would_give_back_or_decide_is_withdrawn(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(place) as connection:
        at = NOON + timedelta(days=1)
        known = load_declarations(connection).policy(at)
        policy = replace(known, payment_approval_above=Decimal(0))
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=policy)
        declare(connection, [change], by="a test", at=at)
    assert run(["credit", number, *WHY]) == 0
    assert "another says the same" in capsys.readouterr().out
    assert run(["sessions", "correct", SESSION, *WHY]) in {0, WRONG}
    uphold = ["dispute", SESSION, "--resolve", "uphold", *WHY]
    assert run(["dispute", SESSION, *WHY]) == 0
    assert run(uphold) == 0
    capsys.readouterr()

    because = ["--reason", "the wrong one", "--by", "bo"]
    for words in (["credit", number, "--withdraw"], ["sessions", "withdraw", SESSION]):
        assert run([*words, *because]) == 0
        assert "waits for nobody any more" in capsys.readouterr().out
        assert run([*words, *because]) == WRONG
    assert run(["credit", number, *because]) == 0
    assert "another says the same" in capsys.readouterr().out
    assert shown(place)[1] == 1
    withdrawn = "SELECT choice, proposed_by, withdrawn_by FROM withdrawn_proposal ORDER BY number"
    assert rows(place, withdrawn) == [("credit", "ann", "bo"), ("uphold", "ann", "bo")]


def test_a_rejected_dispute_leaves_what_is_owed(
    place: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dispute", number, *WHY]) == 0
    assert run(["dispute", number, "--resolve", "reject", *WHY]) == 0

    assert f"{number}: 1 sessions are owed as before" in capsys.readouterr().out
    assert shown(place)[1] == 1
    assert rows(place, "SELECT count(*) FROM correction_to_document") == [(0,)]


@pytest.mark.parametrize(
    ("what", "refusal"),
    [("no/such", "no invoice and no session no/such"), (SESSION, "lines 1 to 2, not 3")],
)
def test_what_is_not_billed_is_not_disputed(
    number: str, what: str, refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert number

    assert run(["dispute", what, "--line", "3", *WHY]) == WRONG

    assert refusal in capsys.readouterr().err


def test_a_release_is_taken_back_once(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    waited(place)
    assert run(["sessions", "take-back", SESSION, *WHY]) == 0
    assert "it waits for another person, who says the same" in capsys.readouterr().out
    assert run(["sessions", "take-back", SESSION, *WHY]) == WRONG
    assert "ann proposed this" in capsys.readouterr().err

    # It moves more than one person may.
    second = ["--reason", "the barrier was down", "--by", "bo"]
    assert run(["sessions", "take-back", SESSION, *second]) == 0
    assert f"session {SESSION} is rated (release_taken_back)" in capsys.readouterr().out

    assert run(["sessions", "take-back", SESSION, *WHY]) == WRONG

    assert "neither released nor written off" in capsys.readouterr().err

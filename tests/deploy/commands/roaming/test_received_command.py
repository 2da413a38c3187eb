"""`wattledger cdr received`, `accept`, `dispute`, `judge-again` as a partner manager types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from roaming_ocpi.tokens.own_tokens import Issuer, contract_of
from tests.roaming_ocpi.incoming.partner_stories import (
    PARTITIONS,
    Told,
    append,
    cdr_of,
    credit_of,
    declare_roaming,
    old_cdr_of,
    read_all,
    subject_of,
    verdicts,
)

WHY = ["--reason", "agreed by mail", "--by", "anna"]


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on, with two CDRs of a partner."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    declare_roaming(database)
    wrong = cdr_of(id="C2", session_id="S2", total_cost={"excl_vat": 9.0})
    append(database, Told(cdr_of()), Told(wrong))
    read_all(database)
    return database


def printed(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - whatever it printed
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("place")
def test_they_are_listed_by_verdict_and_shown_with_what_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["cdr", "received", "--verdict", "disputed", "--json"]) == 0
    assert [each["cdr_id"] for each in printed(capsys)] == ["C2"]

    assert run(["cdr", "received"]) == 0
    listed = capsys.readouterr().out
    assert "C1" in listed
    assert "total_differs" in listed

    assert run(["cdr", "received", "c2"]) == 0
    assert "cdr_total_differs: Its total is 9, its tariff gives 8.00" in capsys.readouterr().out


def test_a_person_decides_and_it_holds_against_what_comes_later(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cdr", "accept", "C2", *WHY]) == 0
    assert "NL-TNM C2 is accepted" in capsys.readouterr().out
    assert run(["cdr", "dispute", "C1", *WHY, "--json"]) == 0
    found = printed(capsys)
    assert (found["verdict"], found["judged"], found["decided_by"]) == (
        "disputed",
        "accepted",
        "anna",
    )

    append(place, Told(cdr_of(id="C2", session_id="S2")))
    read_all(place)

    assert verdicts(place)["C2"].verdict == "accepted"
    assert "cdr_told_otherwise" in verdicts(place)["C2"].codes


def test_a_credit_that_is_accepted_takes_back_and_one_that_is_not_does_not(place: str) -> None:
    append(place, Told(credit_of(total_cost={"excl_vat": -7.0})))
    read_all(place)
    assert verdicts(place)["C1"].credited_by is None

    assert run(["cdr", "accept", "C1-C", *WHY]) == 0
    assert verdicts(place)["C1"].credited_by == "C1-C"

    assert run(["cdr", "dispute", "C1-C", *WHY]) == 0
    assert verdicts(place)["C1"].credited_by is None


def test_an_unknown_one_and_one_of_several_is_refused_by_name(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    append(place, Told(cdr_of(), party="FR-ABC"))
    read_all(place)

    assert run(["cdr", "accept", "C9", *WHY]) != 0
    assert "no partner told of a CDR 'C9'" in capsys.readouterr().err
    assert run(["cdr", "received", "C1"]) != 0
    assert "say which with --party" in capsys.readouterr().err
    assert run(["cdr", "dispute", "C1", "--party", "FR-ABC", *WHY]) == 0


def test_judged_again_all_comes_out_the_same_and_what_was_changed_is_named(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    append(place, Told(credit_of()), Told(cdr_of(remark="other")), Told("no JSON"))
    ours = contract_of(subject_of(place), Issuer("DE-HBC", "Harbour Charging GmbH"))
    append(place, *(Told(old_cdr_of(id=each, auth_id=each)) for each in (ours, "DE-HBC-C00")))
    read_all(place)
    with connect(place) as connection:
        [known] = find(connection, [holder for holder in [token_holder(ours)] if holder]).values()
        erase(connection, [known.id])
    run(["cdr", "accept", "C2", *WHY])
    append(place, Told(cdr_of(id="C7")))  # in the log, not read yet
    capsys.readouterr()

    assert run(["cdr", "judge-again", "--json"]) == 0
    assert printed(capsys) == {"compared": 5, "different": []}

    with connect(place) as connection:
        connection.execute("UPDATE partner_cdr SET net = 8.01 WHERE cdr_id = 'C1'")
    assert run(["cdr", "judge-again", "--json"]) == 1
    assert printed(capsys)["different"] == [{"party": "NL-TNM", "table": "partner_cdr", "id": "C1"}]

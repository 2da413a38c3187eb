"""`wattledger cdr received`: whether a CDR is charged on, what it comes to, or why it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.partners.elsewhere import session_of, station_of
from ledger.rating.decisions import Moment, SessionHeld
from roaming_ocpi.incoming.received_cdr import MEANINGS, Charging
from tariffs.phrases.phrase import phrase
from tests.depot import keep_decisions
from tests.projections.audit.charged_elsewhere import HERE, books_elsewhere, charge
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    PARTITIONS,
    PARTY,
    Told,
    append,
    cdr_of,
    credit_of,
    read_all,
)


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that the command line works on."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return database


def listed(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert run(["cdr", "received", "--json", *more]) == 0
    return {each["cdr_id"]: each["charged"] for each in json.loads(capsys.readouterr().out)}


def say(dsn: str, cdr_id: str, act: str | None) -> None:
    """Note at a CDR what was said of charging it on."""
    with connect(dsn) as connection:
        query = "UPDATE books.partner_cdr SET charge_act = %s WHERE cdr_id = %s"
        assert connection.execute(query, (act, cdr_id)).rowcount == 1


def of_february(day: int, cdr_id: str, **changes: object) -> Told:
    """Return a CDR of a day of its own: two at the same time would be one twice."""
    body = json.dumps(cdr_of(id=cdr_id, session_id=f"S-{cdr_id}", **changes))
    return Told(body.replace("2026-03-02T", f"2026-02-{day}T"))


def hold(dsn: str, cdr_id: str, revision: int, position: int) -> None:
    held = SessionHeld(
        session_id=session_of(PARTY, cdr_id),
        revision=revision,
        station_id=station_of(PARTY),
        moment=Moment(partition=HERE, position=position, at=CAME),
        declared_version=1,
        flags=(),
        started_at=CAME,
        energy_wh=None,
        reasons=(phrase("passed_on_vat_missing", country="NL"),),
    )
    with connect(dsn) as connection:
        keep_decisions(connection, [held])


def test_each_cdr_says_what_is_charged_or_why_it_is_not(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong: dict[str, Any] = {"total_cost": {"excl_vat": 9.0}}
    odd: dict[str, Any] = {"total_cost": {"excl_vat": 8, "incl_vat": 9}}
    told = [
        of_february(day, cdr_id, **changes)
        for day, (cdr_id, changes) in enumerate(
            {
                **{each: {} for each in ("paid", "back", "H/eld%", "asked", "old")},
                "wrong": wrong,
                "odd": odd,
            }.items(),
            start=10,
        )
    ]
    told.append(Told(cdr_of()))
    paid, back, *_ = books_elsewhere(place, *told)
    append(place, Told(credit_of()))
    read_all(place)
    say(place, "back", "take_back")
    say(place, "old", None)
    charge(place, paid)
    charge(place, back, was=charge(place, back), act="take_back", by="ann", reason="never there")
    hold(place, "H/eld%", 1, 900)

    found = listed(capsys)

    assert {key: each["status"] for key, each in found.items()} == {
        "paid": "charged",
        "back": "taken_back",
        "H/eld%": "held",
        "asked": "asked",
        "wrong": "disputed",
        "odd": "flagged",
        "old": "unsaid",
        "C1": "credited",
        "C1-C": "credit",
    }
    assert found["paid"] == {
        "status": "charged",
        "session_id": "partner/NL-TNM/paid",
        "revision": 1,
        "currency": "EUR",
        "net_minor": 1280,
        "gross_minor": 1523,
        "reasons": [],
    }
    assert (found["back"]["revision"], found["back"]["gross_minor"]) == (2, 0)
    assert listed(capsys, "--waiting").keys() == {"H/eld%", "asked", "odd", "old"}

    assert run(["cdr", "received", "h/ELD%"]) == 0
    text = capsys.readouterr().out
    assert f"charged on: held: {MEANINGS[Charging.HELD]}" in text
    assert "session partner/NL-TNM/h%2Feld%25" in text
    assert "No VAT is declared for what is passed on from there (passed_on_vat: NL)." in text
    assert run(["cdr", "received"]) == 0
    assert "15.23 EUR" in capsys.readouterr().out


def test_what_was_charged_stays_owed_while_a_later_look_at_it_is_held(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [stands] = books_elsewhere(place)
    charge(place, stands)
    hold(place, "C1", 2, 900)

    found = listed(capsys)["C1"]

    assert (found["status"], found["revision"], found["gross_minor"]) == ("held", 1, 1523)


def test_each_standing_has_words() -> None:
    assert MEANINGS.keys() == set(Charging)

"""`wattledger payments list|show|open`, as people and machines call them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.movement import MoneyKind
from ledger.payments.open_items import open_item
from ledger.payments.recording import record_movement
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    note_request,
)
from tests.depot import NOON, changes, declared, keep_decisions, rated, session
from tests.ledger.payments.moved_money import LATER, every_kind

DECLARED = declared()
PAID, OPEN = "WL-2026-000001", "WL-2026-000002"
KEY, REFUND = "collect:WL-2026-000001:1", "refund:WL-CN-2026-000001"
DISPUTE: LiteralString = """
INSERT INTO dispute (provider, dispute_id, intent_id, legal_entity, status, currency, amount_minor,
    taken_minor, fee_minor, given_back_minor, reason, created_at, seen_at)
VALUES ('stripe', 'du_1', 'pi_1', 'depot', 'lost', 'EUR', 476, 476, 15, 0,
    'fraudulent', %s, %s)
"""


@pytest.fixture
def books(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Books with two invoices, the first of which every kind of movement is about."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    with connect(database) as connection, InvoiceIssuer(database) as issuer:
        with connection.transaction():
            declare(connection, changes(), by="a test", at=NOON)
        for place, uid in enumerate(("anna-1", "nobody-1")):
            at = NOON + timedelta(hours=2 * place)
            keep_decisions(
                connection, [rated(session(place, token_uid=uid, started_at=at), DECLARED)]
            )
            issue_due(connection, issuer, DECLARED, up_to=at + timedelta(hours=2))
        item = open_item(connection, PAID)
        assert item is not None
        collect = ProviderRequest(
            KEY, "stripe", RequestKind.COLLECT, PAID, "depot", "EUR", 476, {}, NOON, "the rule"
        )
        refund = collect._replace(
            key=REFUND, kind=RequestKind.REFUND, amount_minor=1, body={"intent": "pi_1"}
        )
        for request, made in ((collect, "pi_1"), (refund, "re_1")):
            with connection.transaction():
                decide_request(connection, request)
                state = RequestState.DONE
                note_request(connection, request.key, state, next_at=NOON, object_id=made)
        connection.execute(DISPUTE, (NOON, NOON))
        named = {
            MoneyKind.RECEIVED: ("ch_1", KEY),
            MoneyKind.REFUNDED: ("re_1", REFUND),
            MoneyKind.DISPUTED: ("du_1", "du_1"),
            MoneyKind.DISPUTE_LOST: ("du_1", "du_1"),
        }
        for movement in every_kind(PAID, item.party or "", 476):
            reference, about = named.get(movement.kind, (movement.reference, ""))
            record_movement(connection, movement._replace(reference=reference, about=about))
    return database


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def kinds(content: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in content["movements"]]


@pytest.mark.usefixtures("books")
def test_movements_are_listed_newest_first_and_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    every = [each.value for each in MoneyKind]
    found = told(capsys, "payments", "list")
    assert kinds(found) == every[::-1]
    held = {
        each["account"]: each["debit_minor"] - each["credit_minor"] for each in found["accounts"]
    }
    assert held == {
        "cash:stripe": -14,
        "cash:bank:DE89": 476,
        "cash:clearing": 0,
        "cash:unmatched": 0,
    }

    def listed(*words: str) -> list[str]:
        return kinds(told(capsys, "payments", "list", *words))

    first = told(capsys, "payments", "list", "--limit", "4")
    rest = listed("--limit", "99", "--before", str(first["next_before"]))
    assert [*kinds(first), *rest] == every[::-1]
    of_anna = ["matched", "dispute_lost", "refund_failed", "refunded", "received"]
    assert listed("--customer", "anna") == of_anna
    assert listed("--invoice", PAID) == of_anna
    assert listed("--invoice", OPEN) == []
    assert listed("--kind", "disputed") == ["disputed"]
    assert listed("--source", "bank") == ["matched", "banked"]
    assert listed("--source", "bank:DE89", "--unmatched") == ["matched", "banked"]
    assert listed("--source", "stripe", "--unmatched") == []
    day = LATER.date()
    assert listed("--from", f"{day}", "--to", f"{day + timedelta(days=1)}") == every[::-1]
    assert listed("--to", f"{day}") == []
    assert listed("--from", f"{day + timedelta(days=1)}") == []
    assert listed("--legal-entity", "other") == []
    assert run(["payments", "list", "--kind", "paid"]) == WRONG
    assert "say received, refunded" in capsys.readouterr().err
    assert run(["payments", "list"]) == 0
    assert "cash:bank:DE89: 4.76 EUR" in capsys.readouterr().out


@pytest.mark.usefixtures("books")
def test_a_movement_is_shown_with_what_it_follows_from(capsys: pytest.CaptureFixture[str]) -> None:
    [received] = told(capsys, "payments", "show", "ch_1")["movements"]
    number = str(received["movement"]["number"])

    assert received["entry"] == "received:stripe/ch_1"
    assert [each["amount_minor"] for each in received["postings"]] == [476, -476]
    requests = [(each["key"], each["state"], each["object_id"]) for each in received["requests"]]
    assert requests == [(KEY, "done", "pi_1"), (REFUND, "done", "re_1")]
    assert [each["dispute_id"] for each in received["disputes"]] == ["du_1"]
    about_it = ["refunded", "disputed", "dispute_lost"]
    assert [each["kind"] for each in received["related"]] == about_it
    assert received["movement"]["allotments"][0]["customer"] == "anna"
    for named in (number, "received:stripe/ch_1", KEY):
        [only] = told(capsys, "payments", "show", named)["movements"]
        assert only == received
    for named in ("re_1", "du_1"):
        found = told(capsys, "payments", "show", named)["movements"]
        assert {number} <= {str(each["number"]) for each in found[0]["related"]}
    [unmade] = told(capsys, "payments", "show", REFUND)["requests"]
    assert unmade["subject"] == PAID
    of_invoice = told(capsys, "payments", "show", PAID)
    assert of_invoice["invoice"]["open_minor"] == 0
    assert len(of_invoice["movements"]) == 5
    assert told(capsys, "payments", "show", OPEN)["invoice"]["open_minor"] == 476
    assert run(["payments", "show", PAID]) == 0
    shown = capsys.readouterr().out
    assert f"{KEY}: done" in shown
    assert "open 0.00 EUR" in shown


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("named", ["pi_2", "9" * 30, "received:", "'; --", "R-812"])
def test_what_names_nothing_is_said_so(capsys: pytest.CaptureFixture[str], named: str) -> None:
    assert run(["payments", "show", named]) == WRONG
    assert "wattledger payments list" in capsys.readouterr().err


def test_what_is_open_is_held_against_the_books(
    capsys: pytest.CaptureFixture[str], books: str
) -> None:
    found = told(capsys, "payments", "open")
    assert [(each["number"], each["open_minor"]) for each in found["documents"]] == [(OPEN, 476)]
    assert found["documents"][0]["customer"] is None
    assert found["differences"] == []
    assert told(capsys, "payments", "open", "--customer", "anna")["documents"] == []
    assert [each["open_minor"] for each in told(capsys, "invoices")] == [476, 0]
    then = told(capsys, "payments", "open", "--as-of", f"{NOON:%Y-%m-%d}")
    assert [each["number"] for each in then["documents"]] == [PAID, OPEN]
    for day in ("2026-11-09", "0001-01-01"):
        assert told(capsys, "payments", "open", "--as-of", day)["documents"] == []
    for day in ("9999-12-30", "9999-12-31"):
        now = told(capsys, "payments", "open", "--as-of", day)
        assert (now["documents"], now["differences"]) == (found["documents"], [])
    assert run(["payments", "open"]) == 0
    assert "receivable:invoiced: 4.76 EUR, as in the books" in capsys.readouterr().out

    with connect(books) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE open_invoice SET open_minor = 1")
    assert run(["payments", "open"]) == 1
    assert "the books hold 4.75 EUR more" in capsys.readouterr().out

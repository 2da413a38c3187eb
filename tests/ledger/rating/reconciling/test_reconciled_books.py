"""From a 2.1 station's costDetails to the books: rated with both figures, held, and replayed."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.declared.store import load_declarations
from ledger.log.envelope import Frame
from ledger.rating.decisions import SessionRated, SessionRevision
from projections.audit.payments import payment_of_receipt, payments_for
from projections.sessions import list_sessions
from projections.stations.history import station_history
from tests.at_the_edge import sealed
from tests.charging_day import (
    Timed,
    at,
    declare_day,
    declare_fleet,
    everywhere,
    stamp,
    write_log,
)
from tests.projections.books_of_a_day import ask, go_on, replayed

STATION = "CS-NEW-1"


def event(
    station: str,
    minutes: float,
    kind: str,
    ref: str,
    seq: int,
    wh: int,
    **more: Any,  # noqa: ANN401
) -> Timed:
    """Return an event of a 2.1 station as the edge logs it."""
    sampled = {"value": wh, "measurand": "Energy.Active.Import.Register"}
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": stamp(minutes),
        "triggerReason": "Trigger",
        "seqNo": seq,
        "transactionInfo": {"transactionId": ref, "chargingState": "Charging"},
        "evse": {"id": int(ref), "connectorId": 1},
        "idToken": {"idToken": "FLEET1", "type": "ISO14443"},
        "meterValue": [{"timestamp": stamp(minutes), "sampledValue": [sampled]}],
        **more,
    }
    number = f"{ref}-{seq}"
    frame = Frame(
        received_at=at(minutes) + timedelta(seconds=1),
        station=station,
        protocol="ocpp2.1",
        epoch=1,
        frame=json.dumps([2, number, "TransactionEvent", payload]),
        reply=json.dumps([3, number, {"idTokenInfo": {"status": "Accepted"}}]),
    )
    return frame.received_at, station, sealed(frame)


def cost(amount: float, currency: str = "EUR") -> dict[str, Any]:
    total = {"currency": currency, "typeOfCost": "NormalCost", "total": {"inclTax": amount}}
    usage = {"energy": 5, "chargingTime": 3600, "idleTime": 0}
    return {"totalCost": total, "totalUsage": usage}


def charged(ref: str, said: dict[str, Any] | None) -> list[Timed]:
    """Return a session of 5 kWh, which cost 2.38, and what its station says of it."""
    more = {} if said is None else {"costDetails": said}
    return [
        event(STATION, 0, "Started", ref, 0, 0),
        event(STATION, 60, "Ended", ref, 1, 5_000, **more),
    ]


def test_the_books_say_both_figures_and_a_replay_says_the_same(database: str) -> None:
    version = declare_fleet(database)
    write_log(database, list(everywhere(version, 0)))
    counted = [{"type": "Energy", "volume": 4.9}]
    periods = {"chargingPeriods": [{"startPeriod": stamp(0), "dimensions": counted}]}
    told = {
        "6": cost(2.38) | periods,
        "1": None,
        "2": cost(2.38),
        "3": cost(2.40),
        "4": cost(3.39),
        "5": cost(2.38, "USD"),
    }
    lines = [line for ref, said in told.items() for line in charged(ref, said)]
    go_on(database, sorted(lines, key=itemgetter(0)))

    with ask(database) as connection:
        listed = {each.session_id.split("/")[1]: each for each in list_sessions(connection)}
        rated = {
            each.session_id.split("/")[1]: each
            for each in rated_sessions(
                connection,
                [SessionRevision(s.session_id, 1) for s in listed.values() if s.state == "rated"],
            )
        }

    assert {ref: str(each.state) for ref, each in listed.items()} == {
        "1": "rated", "2": "rated", "3": "rated", "4": "held", "5": "held", "6": "rated",
    }  # fmt: skip
    assert [ref for ref, each in listed.items() if "station_cost_differs" in each.flags] == ["3"]
    assert [ref for ref, each in listed.items() if "station_period_differs" in each.flags] == ["6"]
    assert {tuple(listed[ref].reasons) for ref in ("4", "5")} == {("station_cost_differs",)}
    assert {_gross(each) for each in rated.values()} == {238}
    report = replayed(database)
    assert report.is_identical, report


SHARED = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
adjustments:
  - {shared_cap: energy, amount: 3, on: [energy], per: day, shared_by: customer}
"""


def test_what_others_used_is_no_reason_to_hold_and_a_replay_says_the_same(database: str) -> None:
    declare_fleet(database)
    version = declare_day(database, SHARED)
    write_log(database, list(everywhere(version, 0)))
    for ref in ("1", "2"):
        go_on(database, charged(ref, cost(9.99)))

    with ask(database) as connection:
        listed = list_sessions(connection)
        rated = rated_sessions(connection, [SessionRevision(s.session_id, 1) for s in listed])

    # The day is capped at 3.00 before taxes: the second session has what the first one left.
    assert sorted(map(_gross, rated)) == [119, 238]
    assert all("station_cost_differs" in each.flags for each in listed)
    assert all("station_cost_differs" in each.flags for each in rated)
    assert replayed(database).is_identical


def settled(
    minutes: float, ref: str | None, number: str, reply: dict[str, Any] | None = None
) -> Timed:
    """Return what a payment terminal says became of a payment."""
    payload = {
        "pspRef": "psp-77", "status": "Settled", "settlementAmount": 2.38,
        "settlementTime": stamp(minutes),
    } | ({} if ref is None else {"transactionId": ref})  # fmt: skip
    frame = Frame(
        received_at=at(minutes),
        station=STATION,
        protocol="ocpp2.1",
        epoch=1,
        frame=json.dumps([2, number, "NotifySettlement", payload]),
        reply=json.dumps([3, number, reply or {}]),
    )
    return frame.received_at, STATION, sealed(frame)


@pytest.mark.parametrize("ref", ["1", None])
def test_a_payment_is_found_by_the_receipt_that_we_numbered(database: str, ref: str | None) -> None:
    version = declare_fleet(database)
    write_log(database, list(everywhere(version, 0)))
    with ask(database) as connection:
        row = connection.execute(
            "INSERT INTO inputs.receipt (station_id, content_key, transaction_ref, given_at) "
            "VALUES (%s, 'k', %s, %s) RETURNING number", (STATION, ref or "", at(70)),
        ).fetchone()  # fmt: skip
        assert row is not None
        receipt = f"R-{row[0]}"
        before = payment_of_receipt(connection, receipt)
    go_on(database, charged("1", None))
    go_on(database, [settled(70, ref, "p0", {"receiptId": receipt}), settled(71, ref, "p1")])

    with ask(database) as connection:
        [listed] = list_sessions(connection)
        after = payment_of_receipt(connection, f" {receipt.lower()} ")
        nothing = [payment_of_receipt(connection, each) for each in ("R-0", "812", "R-x", "")]

    assert before is not None
    assert (before.payment, before.sessions) == (None, [])
    assert after is not None
    assert after.payment is not None
    assert (after.payment.amount, after.payment.receipt_id) == (Decimal("2.38"), receipt)
    assert (after.transaction_id, after.sessions) == (ref, [listed.session_id] if ref else [])
    assert nothing == [None] * 4


def test_a_payment_is_told_with_its_session_and_changes_nothing(database: str) -> None:
    version = declare_fleet(database)
    write_log(database, list(everywhere(version, 0)))
    go_on(database, [settled(1, "1", "p0"), *charged("1", None)])
    # Before, after the decision, again, of a transaction that nobody knows, and of none.
    go_on(database, [settled(70 + n, ref, f"p{n}") for n, ref in enumerate(["1", "9", None], 1)])
    go_on(database, [settled(71, "1", "p1")])

    with ask(database) as connection:
        [listed] = list_sessions(connection)
        history = station_history(connection, load_declarations(connection), STATION)
        told = payments_for(connection, history.sessions[listed.session_id])

    assert (str(listed.state), listed.flags) == ("rated", ["unit_missing"])
    assert [(each.psp_ref, each.status, each.amount) for each in told] == [
        ("psp-77", "settled", Decimal("2.38")),
        ("psp-77", "settled", Decimal("2.38")),
    ]
    assert replayed(database).is_identical


def _gross(decision: SessionRated) -> int:
    return decision.gross_minor

"""A driver without contract pays by card: station, provider, worker, books and receipt are real."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.demo.provider.faults import ProviderFault
from deploy.running.replay import replay_and_compare
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.open_items import open_item
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.visits.opening import VisitRefusedError
from ledger.payments.visits.visit import VisitState
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from tests.deploy.visits.driven_station import card_depot

# 10 kWh at 0.40 and 19 %.
COST = 476


async def test_a_visit_from_the_card_to_the_receipt(database: str, tmp_path: Path) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven, other = await depot.station(), await depot.station("ST-2")
        opened = depot.open()
        await depot.rest()
        assert depot.visit(opened).state is VisitState.STARTING
        assert (await other.call("Authorize", {"idTag": driven.uid()}))["idTagInfo"] == {
            "status": "Blocked",
            "expiryDate": "2026-03-02T12:01:00.000Z",
        }
        number = await depot.begin(driven)
        await depot.meter(driven, number, 5_000)
        await depot.rest()
        so_far = depot.view(opened)
        assert (so_far.state, so_far.cost, so_far.energy_wh) == (
            "charging",
            Decimal("2.38"),
            Decimal(5_000),
        )
        await depot.end(driven, number, 10_000)
        await depot.rest()

        view = depot.view(opened)
        assert (view.state, view.taken, view.cost) == ("captured", *[Decimal("4.76")] * 2)
        assert depot.intents() == [("succeeded", COST)]
        [receipt] = view.receipts
        again = await driven.call("Authorize", {"idTag": driven.uid()})
        assert again["idTagInfo"]["status"] == "Blocked"
    with connect(database) as connection, PostgresEventLog(database) as log:
        item = open_item(connection, receipt)
        [(body,)] = connection.execute("SELECT body FROM session_decision").fetchall()
        assert replay_and_compare(database, log).is_identical
    assert item is not None
    assert (item.paid_minor, item.open_minor, item.customer) == (COST, 0, None)
    decision = unpack_decision(body)
    assert isinstance(decision, SessionRated)
    assert (decision.payer.kind, decision.payer.party) == ("bearer", opened.visit.token_uid)


async def test_a_station_that_is_away_or_says_no_keeps_nobody_s_money(
    database: str, tmp_path: Path
) -> None:
    async with card_depot(database, tmp_path) as depot:
        await depot.station(agrees=False)
        refused, away = depot.open(), depot.open(station="ST-2")
        await depot.rest()

        assert depot.visit(refused)[12:15:2] == (VisitState.RELEASED, "station_rejected")
        assert depot.visit(away)[12:15:2] == (VisitState.RELEASED, "station_failed")
        assert depot.intents() == [("canceled", 0)] * 2


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        (fault, path)
        for fault in (ProviderFault.FAILED_AFTER, ProviderFault.CUT_AFTER, ProviderFault.THROTTLED)
        for path in ("payment_intents", "capture")
    ],
)
async def test_a_provider_that_fails_after_it_did_what_it_was_asked_is_asked_once(
    database: str, tmp_path: Path, fault: ProviderFault, path: str
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        depot.fake.faults.plan(fault, path=path)
        opened = depot.open()
        await depot.rest()
        depot.passes(2)
        await depot.rest()
        number = await depot.begin(driven)
        await depot.end(driven, number, 10_000)
        await depot.rest()
        depot.passes(2)
        await depot.rest()

        assert depot.visit(opened).state is VisitState.CAPTURED
        assert depot.intents() == [("succeeded", COST)]


async def test_a_driver_who_is_asked_by_their_bank_starts_once_they_agreed(
    database: str, tmp_path: Path
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        opened = depot.open(None)
        await depot.rest()
        assert (depot.visit(opened).state, driven.asked) == (VisitState.HOLDING, [])
        intent = depot.visit(opened).intent_id or ""
        depot.fake.confirm(intent, "pm_card_chargeDeclined")
        depot.passes(2)
        await depot.rest()
        assert depot.visit(opened)[12:15:2] == (VisitState.HOLDING, "generic_decline")
        depot.fake.confirm(intent, "pm_card_authenticationRequired")
        depot.passes(2)
        await depot.rest()

        assert depot.visit(opened).state is VisitState.STARTING
        assert [action for action, _ in driven.asked] == ["RemoteStartTransaction"]


@pytest.mark.parametrize(
    ("price", "stands"),
    [
        pytest.param("0.50", (595, COST, 119, 0), id="dearer, the rest is open"),
        pytest.param("0.30", (357, 357, 0, 119), id="cheaper, the rest is given back"),
    ],
)
async def test_what_was_paid_goes_on_to_the_invoice_that_replaces_a_corrected_one(
    database: str, tmp_path: Path, price: str, stands: tuple[int, ...]
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        opened = depot.open()
        await depot.rest()
        await depot.end(driven, await depot.begin(driven), 10_000)
        await depot.rest()
        [session] = depot.view(opened).sessions
        depot.correct(session, price)
        depot.passes(60)
        await depot.rest()

        before, after = depot.open_items()
        assert (before.credited_minor, before.open_minor) == (COST, 0)
        # A refund that moves no money shows what was let go of the hold.
        refunds = [each for each in depot.fake.of("refund") if each["balance_transaction"]]
        given_back = sum(each["amount"] for each in refunds)
        assert (after.due_minor, after.paid_minor, after.open_minor, given_back) == stands
        assert depot.fake.total_minor() == stands[1] - 32, "less the provider's fee"


async def test_a_late_start_of_a_visit_that_is_over_waits_for_a_person(
    database: str, tmp_path: Path
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        opened = depot.open()
        await depot.rest()
        depot.passes(6)
        await depot.rest()
        assert depot.visit(opened).state is VisitState.RELEASED
        start = {"connectorId": 1, "idTag": driven.uid(), "meterStart": 0}
        answer = await driven.call(
            "StartTransaction", start | {"timestamp": depot.clock.now().isoformat()}
        )
        await depot.end(driven, answer["transactionId"], 10_000)
        await depot.rest()

        assert answer["idTagInfo"]["status"] == "Blocked"
        assert depot.intents() == [("canceled", 0)]
    with connect(database) as connection:
        rows = connection.execute("SELECT state, reasons FROM session").fetchall()
    assert rows == [("held", ["token_blocked"])]


async def test_a_lost_stop_keeps_no_other_driver_from_the_plug_that_is_free(
    database: str, tmp_path: Path
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        first = depot.open()
        await depot.rest()
        number = await depot.begin(driven)
        await depot.meter(driven, number, 10_000)
        await depot.rest()
        with pytest.raises(VisitRefusedError, match="in use"):
            depot.open()
        freed = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await driven.call("StatusNotification", freed)
        await depot.rest()
        assert depot.visit(first).state is VisitState.ENDED
        second = depot.open()
        await depot.rest()
        assert depot.visit(second).state is VisitState.STARTING
        await depot.end(driven, number, 10_000)
        await depot.rest()

        assert depot.visit(first).state is VisitState.CAPTURED
        assert sorted(depot.intents()) == [("canceled", 0), ("succeeded", COST)]


async def test_nobody_begins_with_a_hold_that_the_bank_took_back(
    database: str, tmp_path: Path
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        opened = depot.open()
        await depot.rest()
        intent = depot.visit(opened).intent_id or ""
        depot.fake.expire_hold(intent)
        with connect(database) as connection:
            at = depot.clock.now()
            tell_of_object(connection, STRIPE, PaymentObjectKind.INTENT, intent, at)
        await asyncio.to_thread(depot.payments.run_once)
        asked = await driven.call("Authorize", {"idTag": driven.uid()})
        assert depot.visit(opened).state is VisitState.STARTING
        await depot.rest()

        assert asked["idTagInfo"]["status"] == "Blocked"
        assert depot.visit(opened)[12:15:2] == (VisitState.FAILED, "hold_lost")


@pytest.mark.parametrize(
    ("hours", "ends"),
    [
        pytest.param(3, VisitState.CAPTURED, id="what it did meanwhile is paid"),
        pytest.param(25, VisitState.RELEASED, id="but a day at most"),
    ],
)
async def test_a_station_that_loses_its_connection_before_the_start_is_waited_for(
    database: str, tmp_path: Path, hours: int, ends: VisitState
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station()
        opened = depot.open()
        await depot.rest()
        at, uid = depot.clock.now() + timedelta(minutes=2), driven.uid()
        await driven.station.socket.close()
        for _ in range(hours):
            depot.passes(60)
            await depot.rest()
        back = await depot.station()
        start = {"connectorId": 1, "idTag": uid, "meterStart": 0, "timestamp": at.isoformat()}
        begun = await back.call("StartTransaction", start)
        stop = {"transactionId": begun["transactionId"], "meterStop": 10_000}
        until = at + timedelta(hours=1)
        await back.call("StopTransaction", stop | {"timestamp": until.isoformat()})
        await depot.rest()

        assert depot.visit(opened).state is ends

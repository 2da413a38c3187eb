"""A session ends when its payer's balance does, in the program as people run it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.prices.test_price_told import MASTER, TARIFF, Driven, driven, until
from tests.deploy.running_wattledger import Wattledger

# Looked ahead by no more than what is known: a test's station brings no reading a second later.
PREPAID = MASTER.replace(
    "prices_told: running, price_every_s: 1", "prices_told: never, stop_margin_s: 0"
).replace("name: Ada,", "name: Ada, pays_in_advance: true,")
STATIONS = (("CS-16", "ocpp1.6"), ("CS-201", "ocpp2.0.1"), ("CS-21", "ocpp2.1"))


def top_up(wattledger: Wattledger, amount: str, reference: str) -> None:
    wattledger.done(
        "prepaid", "top-up", "ada", amount, "--currency", "EUR", "--reference", reference
    )


def refused(answer: Any, protocol: str) -> bool:  # noqa: ANN401 - any JSON
    told = answer["idTagInfo" if protocol == "ocpp1.6" else "idTokenInfo"]["status"]
    return bool(told == ("Blocked" if protocol == "ocpp1.6" else "NoCredit"))


async def asked(station: Driven) -> Any:  # noqa: ANN401 - any JSON
    return await station.call("Authorize", station.start)


def token(protocol: str) -> dict[str, Any]:
    if protocol == "ocpp1.6":
        return {"idTag": "04A1B2C3"}
    return {"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}


async def used_up(wattledger: Wattledger, station: Driven, name: str) -> None:
    """Charge for what is there, for more once that was paid, and stop when told to."""
    station.start = token(station.protocol)
    assert refused(await asked(station), station.protocol)
    # 10 Wh are 0.48.
    await asyncio.to_thread(top_up, wattledger, "0.49", f"{name}/1")
    assert not refused(await asked(station), station.protocol)
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    transaction = await station.charge(f"tx-{name}", began)
    await station.meter(transaction, 1, 10, began + timedelta(minutes=5))
    await asyncio.sleep(1)
    assert station.stop is None
    await asyncio.to_thread(top_up, wattledger, "1.90", f"{name}/2")
    await station.meter(transaction, 2, 20, began + timedelta(minutes=8))
    await asyncio.sleep(6)
    assert station.stop is None
    # 50 Wh are 2.38, and a balance of 2.39 is used up within the minute.
    await station.meter(transaction, 3, 51, began + timedelta(minutes=10))
    await asyncio.wait_for(station.stopped.wait(), 30)
    assert str(station.stop["transactionId"]) == transaction
    await station.end(transaction, 4, 51, began + timedelta(minutes=10, seconds=1))


@pytest.mark.timeout(240)
async def test_a_session_ends_when_the_balance_does(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    (tmp_path / "master.yaml").write_text(PREPAID)
    (tmp_path / "day.yaml").write_text(TARIFF)
    with wattledger.up() as (_, address):
        wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01")
        wattledger.done("apply", tmp_path / "master.yaml")
        for name, protocol in STATIONS:
            async with driven(address, name, protocol) as station:
                await used_up(wattledger, station, name)
            wattledger.until("prepaid", "show", "ada", seconds=30)
            await until(lambda: not balance(wattledger))
        # One starts all the same, as if it had not asked: it is billed, and says so.
        async with driven(address, "CS-16", "ocpp1.6") as station:
            station.start = token("ocpp1.6")
            began = datetime.now(UTC).replace(microsecond=0)
            transaction = await station.charge("-", began)
            await station.end(transaction, 1, 10, began + timedelta(seconds=1))
        await until(lambda: len(wattledger.read("invoices")) == len(STATIONS) + 1)
    listed = wattledger.read("sessions")
    shown = [wattledger.read("station", "show", name)["commands"] for name, _ in STATIONS]

    without = [each for each in listed if "started_without_credit" in each["flags"]]
    assert [each["cost"]["gross_minor"] for each in without] == [48]
    assert [each["asked_by"] for calls in shown for each in calls] == ["limit of money"] * 3


def balance(wattledger: Wattledger) -> int:
    """Return what is left in the books, in cents."""
    shown = wattledger.read("prepaid", "show", "ada")
    return int(sum(each["balance_minor"] for each in shown["balances"]))

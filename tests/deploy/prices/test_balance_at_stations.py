"""A session ends when its payer's balance does, in the program as people run it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.prices.test_price_told import MASTER, TARIFF, Driven, driven, until
from tests.deploy.running_wattledger import Wattledger

STATIONS = {"CS-16": "ocpp1.6", "CS-201": "ocpp2.0.1", "CS-21": "ocpp2.1"}
LOOKS_MAX = 40
# Looked ahead by no more than what is known: else what a test's car draws in a second ends it.
PREPAID = MASTER.replace(
    "prices_told: running, price_every_s: 1", "prices_told: never, stop_margin_s: 0"
)
for each in STATIONS:
    PREPAID = PREPAID.replace(
        "customers:\n", f"customers:\n  of-{each}: {{name: {each}, pays_in_advance: true}}\n"
    ).replace("tokens:\n", f"tokens:\n  04-{each}: {{customer: of-{each}}}\n")


def top_up(wattledger: Wattledger, name: str, amount: str) -> None:
    wattledger.done(
        *(
            "prepaid",
            "top-up",
            f"of-{name}",
            amount,
            "--currency",
            "EUR",
            "--reference",
            f"{name}/{amount}",
        )
    )


def now() -> datetime:
    return datetime.now(UTC)


def status(answer: Any) -> str:  # noqa: ANN401 - any JSON
    return str(answer.get("idTagInfo", answer.get("idTokenInfo"))["status"])


def shows(station: Driven, name: str) -> None:
    """Have a station show the token of its driver."""
    uid = f"04-{name}"
    station.start = {"idTag": uid} | {"idToken": {"idToken": uid, "type": "ISO14443"}}


def limits(station: Driven) -> list[Decimal]:
    """Return what a station was told that its transaction may cost, the last one last."""
    told = (each.get("transactionLimit") for each in station.answers.values())
    return [each["maxCost"] for each in told if each]


def stopped_transaction(station: Driven) -> Any:  # noqa: ANN401 - any JSON
    return station.stop["transactionId"]


async def authorized(station: Driven) -> str:
    key = "idTag" if station.is_old else "idToken"
    return status(await station.call("Authorize", {key: station.start[key]}))


async def used_up(wattledger: Wattledger, address: str, name: str) -> None:
    """Charge for what is there, for more once that was paid, and stop when told to."""
    async with driven(address, name, STATIONS[name]) as station:
        shows(station, name)
        assert await authorized(station) == ("Blocked" if station.is_old else "NoCredit")
        # 10 Wh are 0.48, and at a watt a minute 0.60 are not used up before more is paid.
        await asyncio.to_thread(top_up, wattledger, name, "0.60")
        assert await authorized(station) == "Accepted"
        transaction = await station.charge(f"tx-{name}", now() - timedelta(minutes=10))
        await station.meter(transaction, 1, 10, now())
        await asyncio.to_thread(top_up, wattledger, name, "1.79")
        await asyncio.sleep(6)
        # 0.62: more than was there, and less than is.
        await station.meter(transaction, 2, 13, now())
        await asyncio.sleep(6)
        assert station.stop is None
        number = 3
        if station.protocol == "ocpp2.1":
            # It is told what is left each time, and passes it all the same.
            while limits(station)[-1] != Decimal("2.39"):
                assert number < LOOKS_MAX
                await station.meter(transaction, number, 13, now())
                await asyncio.sleep(1)
                number += 1
            assert limits(station)[0] == Decimal("0.60")
            await station.meter(transaction, number, 51, now())
        else:
            # 50 Wh are 2.38; that 2.39 are used up a moment later is seen without another word.
            await station.meter(transaction, number, 50, now())
        await asyncio.wait_for(station.stopped.wait(), 60)
        assert str(stopped_transaction(station)) == transaction
        await station.end(transaction, number + 1, 51, now())


@pytest.mark.timeout(240)
async def test_a_session_ends_when_the_balance_does(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    (tmp_path / "master.yaml").write_text(PREPAID)
    (tmp_path / "day.yaml").write_text(TARIFF)
    with wattledger.up() as (_, address):
        wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01")
        wattledger.done("apply", tmp_path / "master.yaml")
        await asyncio.gather(*(used_up(wattledger, address, name) for name in STATIONS))
        await until(lambda: all(left(wattledger, name) == 0 for name in STATIONS))
        # One starts all the same: it is billed, and says so.
        async with driven(address, "CS-16", "ocpp1.6") as station:
            shows(station, "CS-16")
            transaction = await station.charge("-", now())
            await station.end(transaction, 1, 1, now() + timedelta(seconds=1))
        await until(lambda: len(wattledger.read("invoices")) == len(STATIONS) + 1)
        assert left(wattledger, "CS-16") == 0
    listed = wattledger.read("sessions")
    shown = [wattledger.read("station", "show", name)["commands"] for name in STATIONS]

    costs = {each["cost"]["gross_minor"] for each in listed if not without_credit(each)}
    assert costs == {243}
    assert [each["cost"]["gross_minor"] for each in listed if without_credit(each)] == [5]
    # The one without credit may have been told as well, before it ended.
    stops = [{each["asked_by"] for each in calls} for calls in shown]
    assert stops == [{"limit of money"}] * 3


def without_credit(session: Any) -> bool:  # noqa: ANN401 - any JSON
    return "started_without_credit" in session["flags"]


def left(wattledger: Wattledger, name: str) -> int:
    """Return what the books have of a balance, in cents."""
    shown = wattledger.read("prepaid", "show", f"of-{name}")
    return int(sum(each["balance_minor"] for each in shown["balances"]))

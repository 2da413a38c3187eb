"""Stations that know no limits are stopped at one, in the program as people run it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.deploy.prices.test_price_told import MASTER, TARIFF, driven
from tests.deploy.running_wattledger import Wattledger

LIMITED = MASTER.replace("prices_told: running", "prices_told: never").replace(
    "tariff: day, site: harbour", "tariff: day, site: harbour, max_cost: 2, max_time_s: 7200"
)
# Another price for the same place: it keeps the limits.
DEARER = TARIFF.replace("40.00", "40.01")


@pytest.mark.timeout(240)
async def test_a_station_is_stopped_at_the_cost_that_its_assignment_allows(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    (tmp_path / "master.yaml").write_text(LIMITED)
    (tmp_path / "day.yaml").write_text(TARIFF)
    (tmp_path / "dearer.yaml").write_text(DEARER)
    with wattledger.up() as (_, address):
        wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01")
        wattledger.done("apply", tmp_path / "master.yaml")
        wattledger.done("tariff", "publish", tmp_path / "dearer.yaml", "--site", "harbour")
        for name, protocol in (("CS-16", "ocpp1.6"), ("CS-201", "ocpp2.0.1")):
            began = datetime.now(UTC).replace(microsecond=0)
            # A station that connects again, to whichever process, is looked at there.
            async with driven(address, name, protocol) as station:
                station.start = {"idTag": "04A1B2C3"} | {
                    "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}
                }
                transaction = await station.charge(f"tx-{name}", began)
                await station.meter(transaction, 1, 10, began + timedelta(seconds=1))
                await asyncio.sleep(1)
                assert station.stop is None
            async with driven(address, name, protocol) as station:
                await station.meter(transaction, 2, 50, began + timedelta(seconds=2))
                await asyncio.wait_for(station.stopped.wait(), 60)
                await station.end(transaction, 3, 50, began + timedelta(seconds=3))
            assert str(station.stop["transactionId"]) == transaction
            shown = wattledger.read("station", "show", name)["commands"]
            assert [each["asked_by"] for each in shown] == ["limit of cost"]

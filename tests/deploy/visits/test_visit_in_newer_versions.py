"""Visits at stations of OCPP 2.0.1 and 2.1, told event by event, in the ways they come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.payments.visits.visit import VisitState
from tests.deploy.visits.driven_station import CardDepot, DrivenStation, card_depot

# 10 kWh at 0.40 and 19 %.
COST = 476
CHARGING: Final[Mapping[str, str]] = {"chargingState": "Charging"}


class EventTeller:
    """What a station says of a transaction; its clock is *behind*."""

    def __init__(self, depot: CardDepot, driven: DrivenStation, behind: timedelta) -> None:
        self.depot, self.driven, self.behind = depot, driven, behind
        self._said = 0

    async def tell(
        self, kind: str, trigger: str, wh: int, *, token: str | None = None, **info: object
    ) -> Any:  # noqa: ANN401 - any JSON
        moment = (self.depot.clock.now() - self.behind).isoformat()
        sampled = {"value": wh, "measurand": "Energy.Active.Import.Register"}
        event: dict[str, Any] = {
            "eventType": kind,
            "timestamp": moment,
            "triggerReason": trigger,
            "seqNo": self._said,
            "transactionInfo": {"transactionId": "tx-1", **info},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": moment, "sampledValue": [sampled]}],
        }
        if token is not None:
            event["idToken"] = {"idToken": token, "type": "ISO14443"}
        self._said += 1
        return await self.driven.call("TransactionEvent", event)


@pytest.mark.parametrize(
    ("protocol", "is_plugged_first", "behind_days"),
    [
        pytest.param("ocpp2.0.1", False, 0, id="the station starts with the call"),
        pytest.param("ocpp2.0.1", True, 0, id="the cable began the transaction"),
        pytest.param("ocpp2.1", False, 0, id="a station that stops itself"),
        pytest.param("ocpp2.0.1", False, 365, id="a clock that is a year behind"),
        pytest.param("ocpp2.0.1", False, -365, id="a clock that is a year ahead"),
    ],
)
async def test_a_visit_in_newer_versions(
    database: str, tmp_path: Path, protocol: str, *, is_plugged_first: bool, behind_days: int
) -> None:
    async with card_depot(database, tmp_path) as depot:
        driven = await depot.station(protocol=protocol)
        station = EventTeller(depot, driven, timedelta(days=behind_days))
        if is_plugged_first:
            await station.tell("Started", "CablePluggedIn", 0, chargingState="EVConnected")
            await depot.rest()
            depot.passes(1)
        opened = depot.open()
        await depot.rest()
        assert depot.visit(opened).state is VisitState.STARTING
        [(_, asked)] = driven.asked
        info = {**CHARGING, "remoteStartId": asked["remoteStartId"]}
        kind = "Updated" if is_plugged_first else "Started"
        begun = await station.tell(kind, "RemoteStart", 0, token=driven.uid().lower(), **info)
        assert begun["idTokenInfo"]["status"] == "Accepted"
        limit = {"maxCost": 29} if protocol == "ocpp2.1" else None
        assert begun.get("transactionLimit") == limit
        depot.passes(30)
        await station.tell("Updated", "MeterValuePeriodic", 5_000, **CHARGING)
        await depot.rest()
        assert depot.visit(opened).state is VisitState.CHARGING
        depot.passes(30)
        await station.tell("Ended", "RemoteStop", 10_000, stoppedReason="Remote")
        await depot.rest()

        assert depot.view(opened).state == "captured"
        assert depot.intents() == [("succeeded", COST)]

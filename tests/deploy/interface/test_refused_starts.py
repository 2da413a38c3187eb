"""A start that was refused does not count for its token."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from deploy.interface.access import Scope
from ledger.log.authorization import Authorization
from tests.charging_day import Timed, call, start16, write_log
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import HERE, site_of_stations
from tests.projections.books_of_a_day import work

Status = Literal["accepted", "blocked", "expired", "invalid"]


def found(begun: Timed, status: Status) -> Timed:
    moment, station, line = begun
    word = Authorization(subject="fleet1", by="declared", status=status)
    return moment, station, replace(line, authorization=word)


@pytest.mark.parametrize("status", ["accepted", "blocked", "expired", "invalid"])
async def test_a_refused_start_is_listed_but_not_for_its_token(
    database: str, status: Status
) -> None:
    site_of_stations(database)
    write_log(
        database,
        [
            found(start16(HERE, 10, 1, "FLEET1", 0), "accepted"),
            found(start16(HERE, 40, 2, "FLEET1", 900, 2), status),
        ],
    )
    work(database)
    async with served(database, Scope.READ) as client:
        here = (await client.get("/transactions", params={"station": HERE})).json()
        mine = (await client.get("/transactions", params={"token": "FLEET1"})).json()

    assert [each["transaction_id"] for each in here["items"]] == ["2", "1"]
    counted = ["2", "1"] if status == "accepted" else ["1"]
    assert [each["transaction_id"] for each in mine["items"]] == counted


@pytest.mark.parametrize("is_offline", [True, False])
async def test_what_was_charged_offline_counts(database: str, *, is_offline: bool) -> None:
    """A station that had no connection is answered Accepted: the driver has charged."""
    site_of_stations(database)
    payload = {
        "eventType": "Started",
        "timestamp": "2026-03-02T07:10:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T"},
        "idToken": {"idToken": "FLEET1", "type": "ISO14443"},
        "evse": {"id": 1},
        "offline": is_offline,
    }
    begun = call("CS-NEW-1", 10, "TransactionEvent", payload, {})
    write_log(database, [found(begun, "blocked")])
    work(database)
    async with served(database, Scope.READ) as client:
        mine = (await client.get("/transactions", params={"token": "FLEET1"})).json()

    assert [each["transaction_id"] for each in mine["items"]] == (["T"] if is_offline else [])

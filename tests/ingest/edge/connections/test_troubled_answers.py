"""An answer that cannot be made: whose fault that is says whether the frame may come again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from ingest.errors import IngestError
from ledger.log.event_log import LogError
from tests.edge import open_edge, until

START = json.dumps(
    [2, "1", "StartTransaction", {"connectorId": 1, "idTag": "04AB", "meterStart": 100}]
)


@dataclass
class FailingIds:
    """Gives no transaction an id."""

    error: Exception

    async def assign(self, station_id: str, content_key: str) -> int:
        assert station_id
        assert content_key
        await asyncio.sleep(0)
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the server is away"),
        psycopg.errors.AdminShutdown("terminated"),
        LogError("disk full"),
        IngestError("not now"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_where_we_are_away_the_station_is_sent_away_and_brings_the_frame_again(
    error: Exception,
) -> None:
    async with open_edge(ids=FailingIds(error)) as edge, edge.station() as station:
        with pytest.raises(ConnectionClosed) as closed:
            await station.send(START)
        await until(lambda: not edge.server.connections)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    assert edge.frames() == []


@pytest.mark.parametrize(
    "error",
    [
        # An error of its content, although its class is called operational.
        psycopg.errors.ProgramLimitExceeded("index row size 2720 exceeds maximum"),
        psycopg.DataError("a text with NUL"),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_would_fail_again_is_kept_and_answered_so_that_it_does_not_come_for_ever(
    error: Exception,
) -> None:
    async with open_edge(ids=FailingIds(error)) as edge, edge.station() as station:
        answer = await station.send(START)
        assert (await station.call("StatusNotification", {})) == {}

    assert answer[:3] == [4, "1", "InternalError"]
    assert [each.frame for each in edge.frames()][:1] == [START]


async def test_an_id_that_is_written_in_latin_1_is_answered_as_it_was_meant() -> None:
    frame = '[2,"Säule","StatusNotification",{}]'
    async with open_edge() as edge, edge.station() as station:
        await station.call("Heartbeat", {})
        station.socket.protocol.send_text(frame.encode("latin-1"))
        station.socket.send_data()

        assert await station.receive() == [3, "Säule", {}]

    assert edge.frames()[0].frame == frame

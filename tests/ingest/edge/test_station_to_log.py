"""Over real WebSockets into the log: stations of the package `ocpp`, and what is no message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ocpp.v16.call as call16
import ocpp.v201.call as call201
import pytest
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v201 import ChargePoint as ChargePoint201
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ingest.answers.transactions import PostgresTransactionIds
from ingest.directory import AuthorizationStatus, TokenAccess
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.rpc import codec
from ledger.database import connect_async
from ledger.log.envelope import Connection, Frame, LogLine, decode_lines
from ledger.log.event_log import partition_of
from ledger.log.postgres import PostgresEventLog
from ledger.log.postgres_lines import PostgresLineWriter
from tests.edge import PASSWORD, open_edge, until
from tests.fakes import FixedDirectory

AT = "2026-03-02T12:00:00Z"


async def charge16(point: Any) -> None:  # noqa: ANN401 - `ocpp` is untyped
    await point.call(call16.BootNotification("Model", "Vendor"))
    start = await point.call(call16.StartTransaction(1, "GOOD", 100, AT))
    sample = {"value": "150.5", "unit": "Wh"}
    reading = {"timestamp": AT, "sampledValue": [sample]}
    await point.call(call16.MeterValues(1, [reading], start.transaction_id))
    await point.call(call16.Heartbeat())
    await point.call(call16.StopTransaction(200, AT, start.transaction_id))


async def charge201(point: Any) -> None:  # noqa: ANN401 - `ocpp` is untyped
    station = {"model": "Model", "vendorName": "Vendor"}
    await point.call(call201.BootNotification(station, "PowerUp"))
    for number, kind in enumerate(("Started", "Updated", "Ended")):
        info = {"transactionId": "T1"}
        event = call201.TransactionEvent(kind, AT, "Authorized", number, info)
        await point.call(event)
    await point.call(call201.Heartbeat())


@pytest.mark.parametrize(
    ("protocol", "kind", "charge", "frames"),
    [
        ("ocpp1.6", ChargePoint16, charge16, 4),
        ("ocpp2.0.1", ChargePoint201, charge201, 4),
    ],
)
async def test_a_charge_of_a_foreign_station_is_in_the_log_with_every_answer(
    database: str,
    protocol: str,
    kind: Callable[..., Any],
    charge: Callable[[Any], Awaitable[None]],
    frames: int,
) -> None:
    ids = PostgresTransactionIds(lambda: connect_async(database))
    epochs = PostgresEpochs(lambda: connect_async(database))
    directory = FixedDirectory(
        {"CP1": PASSWORD}, tokens={"good": TokenAccess(status=AuthorizationStatus.ACCEPTED)}
    )
    async with await PostgresLineWriter.open(database, partitions=4) as log:
        async with (
            open_edge(log=log, ids=ids, epochs=epochs, directory=directory) as edge,
            edge.station(protocol=protocol) as station,
        ):
            point = kind("CP1", _Wire(station.socket))
            reading = asyncio.create_task(point.start())
            await charge(point)
            reading.cancel()
        lines = _lines(database)
    await ids.close()
    await epochs.close()

    logged = [line for line in lines if isinstance(line, Frame)]
    assert len(logged) == frames
    assert {(each.station, each.protocol, each.epoch) for each in logged} == {("CP1", protocol, 1)}
    assert all(each.reply is not None and each.reply.startswith("[3,") for each in logged)
    assert [line.is_open for line in lines if isinstance(line, Connection)] == [True, False]


def _lines(dsn: str) -> list[LogLine]:
    with PostgresEventLog(dsn) as log:
        records = log.read(partition_of("CP1", partitions=4), 0, records=100)
    return [line for record in records for line in decode_lines(record.payload)]


class _Wire:
    """A WebSocket as the package `ocpp` wants it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def recv(self) -> str:
        return await self._socket.recv(decode=True)

    async def send(self, message: str) -> None:
        await self._socket.send(message)


async def test_an_error_with_a_number_that_no_float_holds_ends_no_connection() -> None:
    async with open_edge() as edge, edge.station() as station:
        for text in ('[4,"a",1e400,"",{}]', '[4,"a","x",1e400,{}]'):
            await station.socket.send(text, text=True)
        await station.call("Heartbeat", {})

        assert len(edge.frames()) == 2


async def test_a_frame_above_the_limit_leaves_in_the_log_why_nobody_reads_it() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", {})
        await station.socket.send("x" * (codec.FRAME_MAX + 1), text=True)
        with pytest.raises(ConnectionClosed):
            await station.socket.recv()
        await until(lambda: len(edge.connections()) == 2)

    why = f"closed with 1009: frame exceeds limit of {codec.FRAME_MAX} bytes"
    assert edge.connections()[-1].why == why

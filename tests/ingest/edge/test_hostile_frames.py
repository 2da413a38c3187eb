"""Frames that are no messages: each is answered or named in the log."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.rpc import codec
from tests.edge import open_edge, until


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

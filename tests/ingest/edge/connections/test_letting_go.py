"""A connection that ended is gone at once: a search through thousands for it stops the server."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tests.edge import until
from tests.ingest.prices.set_prices import RUNNING, SetPrices, euros, event, told
from tests.ingest.prices.test_limiting import SetStops


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("how", ["says goodbye", "ends without a word", "is cut off"])
async def test_a_connection_that_ended_needs_no_garbage_collector(how: str) -> None:
    prices, stops = SetPrices(now=euros("1.00")), SetStops()
    prices.taken.set()
    async with told(prices, RUNNING, stops=stops) as (edge, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: prices.priced > 0)
        connection = edge.server.connections["CP1"]
        socket = connection._socket  # noqa: SLF001 - is it gone
        parts = [connection, connection._telling, socket, socket.protocol]  # noqa: SLF001
        kept = [weakref.ref(each) for each in parts]
        del connection, parts, socket
        if how == "says goodbye":
            await station.socket.close()
        elif how == "ends without a word":
            station.socket.transport.close()
        else:
            station.socket.transport.abort()
        await until(lambda: not edge.server.connections)

        await until(lambda: not any(each() for each in kept))

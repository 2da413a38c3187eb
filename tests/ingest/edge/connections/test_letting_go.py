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


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_a_connection_that_ended_needs_no_garbage_collector(*, is_cut_off: bool) -> None:
    prices, stops = SetPrices(now=euros("1.00")), SetStops()
    prices.taken.set()
    async with told(prices, RUNNING, stops=stops) as (edge, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: prices.priced > 0)
        connection = edge.server.connections["CP1"]
        parts = [connection, connection._socket, connection._telling]  # noqa: SLF001 - are they gone
        kept = [weakref.ref(each) for each in parts]
        del connection, parts
        if is_cut_off:
            station.socket.transport.abort()
        else:
            await station.socket.close()
        await until(lambda: not edge.server.connections)

        await until(lambda: not any(each() for each in kept))

"""The whole fleet at work: every station is one task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import ocpp.messages

from deploy.fleet.day import Protocol, StationDay, steps_of
from deploy.fleet.station import FleetClock, StationClient, StationRefusedError, Tally
from deploy.fleet.station16 import Client16
from deploy.fleet.station201 import Client201

CLIENTS: dict[Protocol, type[StationClient]] = {
    Protocol.OCPP16: Client16,
    Protocol.OCPP201: Client201,
}


async def run_fleet(
    days: Sequence[StationDay],
    *,
    address: str,
    clock: FleetClock,
    on_step: Callable[[], None] = lambda: None,
) -> Tally:
    """Play all *days* against the server at *address* (`ws://host:port`); return what was said.

    Raises:
        StationRefusedError: If a station is refused or stays without an answer.
    """
    # A thread per validation costs more than the validation.
    ocpp.messages.ASYNC_VALIDATION = False
    logging.getLogger("ocpp").setLevel(logging.ERROR)
    tally = Tally()
    try:
        async with asyncio.TaskGroup() as group:
            for day in days:
                client = CLIENTS[day.protocol](day, address=address, clock=clock, tally=tally)
                group.create_task(client.run(on_step))
    except* StationRefusedError as refusals:
        refused = refusals.exceptions[0]
        assert isinstance(refused, StationRefusedError)
        why = refused
    else:
        return tally
    raise why


def count_steps(days: Sequence[StationDay]) -> int:
    """Return how many steps the fleet's day has, for a progress bar."""
    return sum(len(steps_of(day)) for day in days)

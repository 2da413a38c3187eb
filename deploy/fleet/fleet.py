"""The whole fleet: what happens at all its stations, one thing after the other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import ocpp.messages

from deploy.fleet.station import StationClient, Tally, nothing
from deploy.fleet.station16 import Client16
from deploy.fleet.station201 import Client201
from deploy.fleet.station_plan import Protocol, StationPlan, Step, steps_of
from deploy.fleet.wire import Wire

CLIENTS: dict[Protocol, type[StationClient]] = {
    Protocol.OCPP16: Client16,
    Protocol.OCPP201: Client201,
}


@dataclass(frozen=True, slots=True)
class FleetStep:
    """What happens at one station, by its place in the fleet."""

    step: Step
    station: int


class Fleet:
    """The stations of *plans*; whoever drives them says when the next step is due.

    *after_stop* is awaited whenever the server has answered a stop, before anything else is said.
    """

    def __init__(
        self,
        plans: Sequence[StationPlan],
        *,
        wire: Wire,
        tally: Tally,
        after_stop: Callable[[], Awaitable[None]] = nothing,
    ) -> None:
        # A thread per validation costs more than the validation.
        ocpp.messages.ASYNC_VALIDATION = False
        logging.getLogger("ocpp").setLevel(logging.ERROR)
        self._clients = [
            CLIENTS[plan.protocol](plan, wire=wire, tally=tally, after_stop=after_stop)
            for plan in plans
        ]

    async def play(self, due: FleetStep) -> None:
        """Let a step happen; return once all that it leads to is answered.

        Raises:
            StationRefusedError: If the station is refused or stays without an answer.
        """
        await self._clients[due.station].play(due.step)

    async def move_to(self, wire: Wire) -> None:
        """Let all stations go on over another wire."""
        for client in self._clients:
            await client.move_to(wire)


def fleet_steps(plans: Sequence[StationPlan]) -> list[FleetStep]:
    """Return what happens at all stations, in order of time and, at one moment, of stations."""
    steps = [
        FleetStep(step, station) for station, plan in enumerate(plans) for step in steps_of(plan)
    ]
    return sorted(steps, key=lambda due: (due.step.at, due.station, due.step.kind))


async def run_fleet(plans: Sequence[StationPlan], *, wire: Wire) -> Tally:
    """Play all *plans* without a pause; return what was said.

    Raises:
        StationRefusedError: If a station is refused or stays without an answer.
    """
    tally = Tally()
    fleet = Fleet(plans, wire=wire, tally=tally)
    for due in fleet_steps(plans):
        await fleet.play(due)
    return tally

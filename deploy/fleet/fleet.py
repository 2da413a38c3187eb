"""The whole fleet: what happens at all its stations, one thing after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import ocpp.messages

from deploy.fleet.station import StationClient, Tally
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
    """The stations of *plans*; whoever drives them says when the next step is due."""

    def __init__(self, plans: Sequence[StationPlan], *, wire: Wire) -> None:
        # A thread per validation costs more than the validation.
        ocpp.messages.ASYNC_VALIDATION = False
        logging.getLogger("ocpp").setLevel(logging.ERROR)
        self.tally = Tally()
        self._clients = [
            CLIENTS[plan.protocol](plan, wire=wire, tally=self.tally) for plan in plans
        ]

    async def play(self, due: FleetStep) -> None:
        """Let a step happen; return once all that it leads to is answered.

        Raises:
            StationRefusedError: If the station is refused or stays without an answer.
        """
        await self._clients[due.station].play(due.step)

    async def hear_out(self, due: FleetStep) -> None:
        """Return once the server has nothing more to say about a step that was played."""
        await self._clients[due.station].hear_out()

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
    fleet = Fleet(plans, wire=wire)
    for due in fleet_steps(plans):
        await fleet.play(due)
    return fleet.tally

"""Campaigns over real tables, with real stations that are called."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from ingest.campaigns.campaign import (
    CampaignPlan,
    CampaignReport,
    ChosenStation,
    change_campaign,
    create_campaign,
    read_campaign,
)
from ingest.campaigns.stages import CampaignState
from ingest.commands.asking import StationCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.files.firmware import Firmware
from ingest.persons.subjects import PostgresSubjects
from ingest.upkeep.list_keeping import ListKeeper
from ingest.upkeep.upkeep import KeptFiles, Upkeep
from ledger.database import connect, connect_async
from tests.edge import PASSWORD, Edge, Station
from tests.fakes import FixedClock, FixedDirectory
from tests.ingest.commands.called_fleet import an_edge, charging_station
from tests.ingest.files.served_files import volt

STATIONS = tuple(f"CP{number}" for number in range(1, 13))
ACCEPTED = {"status": "Accepted"}
POSITIONS = count(1)


class Campaigning:
    """A process with the upkeep's lease, one with connections, and a clock that is moved."""

    def __init__(self, database: str, exits: AsyncExitStack, edge: Edge) -> None:
        self.database, self._exits, self.edge = database, exits, edge
        self.clock = FixedClock()
        self.upkeep = self.an_upkeep()
        self.firmware: Firmware = volt(database, b"the firmware")
        self.stations: dict[str, Station] = {}

    def an_upkeep(self, base: str = "https://f.example") -> Upkeep:
        """Return an upkeep, as a process that was started again has it."""
        directory = FixedDirectory(dict.fromkeys(STATIONS, PASSWORD))
        subjects = PostgresSubjects(lambda: connect_async(self.database))
        commands = StationCommands(
            lambda: connect_async(self.database),
            directory=directory,
            subjects=subjects,
            clock=self.clock,
        )
        declared = DeclaredDirectory(self.database, self.clock)
        for each in (commands, declared, subjects):
            self._exits.push_async_callback(each.close)
        lists = ListKeeper(
            lambda: connect_async(self.database),
            directory=declared,
            commands=commands,
            clock=self.clock,
        )
        upkeep = Upkeep(
            self.database,
            commands=commands,
            clock=self.clock,
            lists=lists,
            holder="a",
            kept_days=90,
            files=KeptFiles(base, 30),
        )
        self._exits.callback(upkeep.close)
        self._exits.push_async_callback(upkeep.stop)
        return upkeep

    async def connect(
        self, *names: str, protocol: str = "ocpp1.6", answer: object = ACCEPTED
    ) -> None:
        """Let stations connect that answer UpdateFirmware so."""
        for name in names:
            self.stations[name] = await charging_station(
                self._exits, self.edge, {"UpdateFirmware": answer}, name, protocol
            )

    def begin(self, *names: str, name: str = "spring", **plan: Any) -> None:  # noqa: ANN401
        """Begin a campaign for these stations."""
        chosen = [ChosenStation(each, "Volt", "V1", "Europe/Berlin") for each in names]
        given = CampaignPlan(name, **{"tries": 1, **plan})
        with connect(self.database) as connection:
            create_campaign(connection, given, self.firmware, chosen, by="ann", at=self.clock.now())

    async def round(self, minutes: float = 1) -> None:
        """Let so much time pass, and make a round; its calls are answered when it returns."""
        self.clock.moment += timedelta(minutes=minutes)
        await self.upkeep.round()
        await self.answered()

    async def answered(self) -> None:
        async with (
            await connect_async(self.database) as connection,
        ):
            waiting = "SELECT count(*) FROM station_command WHERE state IN ('queued', 'sent')"
            while (await (await connection.execute(waiting)).fetchone()) != (0,):
                pass

    def said(self, status: str, *names: str, request_id: int | None = None) -> None:
        """Let stations have said how far they are, now, as the worker notes it."""
        at = self.clock.now() + timedelta(seconds=1)
        with connect(self.database) as connection:
            for name in names:
                connection.execute(
                    "INSERT INTO transfer_status VALUES (%s, 0, %s, 0, 'firmware', %s, %s, %s)",
                    (name, next(POSITIONS), request_id, status, at),
                )

    def booted(self, name: str, version: str, at: datetime) -> None:
        with connect(self.database) as connection:
            connection.execute(
                "INSERT INTO station_state (station_id, firmware, booted_at) VALUES (%s, %s, %s)"
                " ON CONFLICT (station_id) DO UPDATE SET firmware = excluded.firmware,"
                " booted_at = excluded.booted_at",
                (name, version, at),
            )

    def report(self, name: str = "spring") -> CampaignReport:
        with connect(self.database) as connection:
            return read_campaign(connection, name)

    def of(self, state: str, name: str = "spring") -> list[str]:
        """Return the stations that are so far, in their order."""
        return [e.station for e in self.report(name).stations if e.state == state]

    def stands(self, name: str = "spring") -> tuple[str, int, dict[str, int]]:
        """Return how a campaign stands: state, stage, and how many stations are how far."""
        found = self.report(name)
        keys = ("waiting", "asked", "done", "failed")
        sums = {key: sum(getattr(each, key) for each in found.models) for key in keys}
        return str(found.state), found.stage, {key: n for key, n in sums.items() if n}

    def status(self, station: str, name: str = "spring") -> str | None:
        return next(e.status for e in self.report(name).stations if e.station == station)

    def change(self, state: CampaignState, name: str = "spring") -> None:
        with connect(self.database) as connection:
            change_campaign(connection, name, state, by="ben", at=self.clock.now())

    def asked(self) -> dict[str, int]:
        """Return how often each station was called."""
        return {n: len(s.asked) for n, s in self.stations.items() if s.asked}

    def requests(self, station: str) -> Sequence[int]:
        """Return the request ids that a station was told."""
        return [each[1]["requestId"] for each in self.stations[station].asked]


async def campaigning(database: str, exits: AsyncExitStack) -> Campaigning:
    """Return campaigns over *database*."""
    directory = FixedDirectory(dict.fromkeys(STATIONS, PASSWORD))
    return Campaigning(database, exits, await an_edge(exits, database, directory))

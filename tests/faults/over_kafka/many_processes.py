"""Wattledger as on many machines, on this one: brokers, a database, and `wattledger run` processes.

Whoever dies is started again after a moment, as an orchestrator does; PostgreSQL and the brokers
too, once they are told to be.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import psycopg
from confluent_kafka.admin import AdminClient

from deploy.errors import DeployError
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from tests.faults.load_station import master_data
from tests.faults.over_kafka.kept_process import PROGRAM, KeptProcess
from tests.faults.over_kafka.small_disk import Room, SmallDisk, SmallFiles
from tests.faults.running_system import wait_until
from tests.tree import ROOT

PARTITIONS: Final = 4
PARTS: Final = (
    "stations-1",
    "stations-2",
    "worker-1",
    "worker-2",
    "invoicing-1",
    "invoicing-2",
)
AGAIN_SECONDS: Final = 0.3
"""After how long a process that ended is started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What is wrong with a system on purpose.

    Attributes:
        programs: By kind of process, lines of Python that run in it before it begins.
        statements: SQL that takes something away from the tables.
        linger_ms: How long frames are gathered.
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    statements: Sequence[str] = ()
    linger_ms: int = 5


class ManyProcesses:
    """Some *parts*, over *brokers* brokers and a database, from `__enter__` to `__exit__`."""

    def __init__(
        self,
        home: Path,
        *,
        stations: int,
        brokers: int = 3,
        parts: Sequence[str] = PARTS,
        broken: Broken | None = None,
        has_disks: bool = False,
    ) -> None:
        """Choose ports; nothing runs yet.

        Args:
            home: An empty folder.
            stations: How many are declared.
            brokers: One, or three that stand in for each other.
            parts: Which processes, each by what it is and a number.
            broken: What is wrong with it on purpose.
            has_disks: Whether brokers and database are on disks of their own; else their files
                are limited where a disk is to be full.
        """
        self.home, self._declared, self._parts = home, stations, parts
        self._broken = broken or Broken()
        self.brokers = KafkaBrokers(home / "kafka", count=brokers, session_seconds=3)
        self.brokers_room: Room = SmallFiles(self.brokers.processes)
        self.database_room: Room = SmallFiles(self._database_processes)
        if has_disks:
            self.brokers_room = SmallDisk(home / "kafka")
            self.database_room = SmallDisk(home / "data")
        self._database: EmbeddedPostgres | None = None
        self.kafka = KafkaCluster(bootstrap=self.brokers.bootstrap)
        self._profile = "production" if brokers > 1 else "development"
        self._ports = {part: _free_port() for part in parts if "stations" in part}
        self._chance = random.Random(0)
        self.processes: dict[str, KeptProcess] = {}
        self._exits = ExitStack()
        self._ending = threading.Event()
        self.keeps_database = True

    @property
    def database(self) -> EmbeddedPostgres:
        """The database of all."""
        assert self._database is not None
        return self._database

    @property
    def url(self) -> str:
        """Where a station connects: any of the servers, as behind a balancer."""
        return self._chance.choice(self.urls)

    @property
    def urls(self) -> list[str]:
        """Every server's address."""
        return [f"ws://127.0.0.1:{port}" for port in self._ports.values()]

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            exits.enter_context(self.brokers_room)
            exits.enter_context(self.database_room)
            exits.enter_context(self.brokers)
            self._database = exits.enter_context(EmbeddedPostgres(self.home / "data"))
            self._prepare()
            exits.callback(self._end_processes)
            for name in self._parts:
                self.processes[name] = self._process(name)
            watcher = threading.Thread(target=self._look_after)
            watcher.start()
            exits.callback(watcher.join)
            exits.callback(self._ending.set)
            for name, process in self.processes.items():
                wait_until(lambda process=process: process.has_begun, f"{name} begins")  # type: ignore[misc]
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """Yield a connection to the books."""
        with connect(self.database.dsn) as connection:
            yield connection

    def log(self) -> KafkaEventLog:
        """Return the event log, to be closed."""
        return KafkaEventLog(self.kafka)

    def command(self, *arguments: str) -> str:
        """Run a command on these settings; fail with what it printed."""
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments, *self._config],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def leaders(self) -> set[int]:
        """Return which brokers lead a partition of the event log."""
        client = AdminClient(self.kafka.client())
        topic = client.list_topics(self.kafka.topic, timeout=10).topics[self.kafka.topic]
        return {partition.leader for partition in topic.partitions.values()}

    def is_in_sync(self) -> bool:
        """Say whether every broker is there and has everything."""
        client = AdminClient(self.kafka.client())
        found = client.list_topics(timeout=10)
        count = len(self.brokers.numbers)
        return len(found.brokers) == count and all(
            len(partition.isrs) == len(partition.replicas)
            for topic in found.topics.values()
            for partition in topic.partitions.values()
        )

    @property
    def _config(self) -> list[str]:
        return ["--config", str(self.home / "settings.toml")]

    def _database_processes(self) -> set[int]:
        return set() if self._database is None else self._database.processes()

    def _prepare(self) -> None:
        self._write_settings()
        self.command("kafka", "init")
        fleet = self.home / "fleet.yaml"
        fleet.write_text(master_data(self._declared))
        tariff = ROOT / "examples" / "tariffs" / "energy-only.yaml"
        self.command("tariff", "publish", str(tariff), "--valid-from", "2020-01-01")
        self.command("apply", str(fleet))
        with self.connection() as connection:
            for statement in self._broken.statements:
                connection.execute(statement.encode())

    def _process(self, name: str) -> KeptProcess:
        kind, _, _ = name.partition("-")
        place = ["--port", str(self._ports[name])] if name in self._ports else []
        broken = self._broken.programs.get(kind, "")
        return KeptProcess(name, self.home, [kind, *place, *self._config], broken=broken)

    def _write_settings(self) -> None:
        rows = {
            "data": str(self.home / "own"),
            "database_url": self.database.dsn,
            "log": "kafka",
            "kafka_bootstrap": self.brokers.bootstrap,
            "kafka_profile": self._profile,
            "partitions": PARTITIONS,
            "tick_seconds": 1,
            "linger_ms": self._broken.linger_ms,
            "metrics_port": 0,
            "sessions_a_minute": 0,  # its stations charge faster than any
        }
        lines = [
            f"{name} = {value if isinstance(value, int) else repr(value)}"
            for name, value in rows.items()
        ]
        (self.home / "settings.toml").write_text("\n".join(lines) + "\n")

    def _look_after(self) -> None:
        while not self._ending.wait(AGAIN_SECONDS):
            for process in self.processes.values():
                process.look_after()
            if self.keeps_database:
                try:
                    self.database.ensure_running()
                except (DeployError, OSError) as error:  # its disk may be full
                    sys.stderr.write(f"{error}\n")

    def _end_processes(self) -> None:
        for process in self.processes.values():
            process.end()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port

"""Wattledger as on many machines, on this one: brokers, a database, and `wattledger run` processes.

Whoever dies is started again after a moment, as an orchestrator does; PostgreSQL and the brokers
too, once they are told to be.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from tests.faults.running_system import kill_nine, wait_until
from tests.tree import ROOT

PARTITIONS: Final = 4
PROGRAM: Final = "from deploy.cli import main; main()"
ANSWERS_EARLY: Final = (
    """
import asyncio
from ledger.log.event_log import Position
from ledger.log.kafka.line_writer import KafkaLineWriter
durably, kept = KafkaLineWriter.append, set()
async def append(self, partition, line):
    kept.add(asyncio.ensure_future(durably(self, partition, line)))
    return Position(partition, 0, 0)
KafkaLineWriter.append = append
"""
    + PROGRAM
)
"""The negative control: stations are answered before the log has what they said."""
PARTS: Final = (
    "stations-1",
    "stations-2",
    "worker-1",
    "worker-2",
    "invoicing-1",
    "invoicing-2",
)
SLOW_SECONDS: Final = 4.0
"""How long a broker stands still: longer than its session (3 s), so another one leads meanwhile."""
AWAY_SECONDS: Final = 15.0
STORM_ROUNDS: Final = 3
AGAIN_SECONDS: Final = 0.3
"""After how long a process that ended is started again."""


class _Process:
    """One `wattledger run`, over and over."""

    def __init__(self, program: str, words: list[str], log: Path) -> None:
        self._program, self._words, self._log = program, words, log
        self.is_wanted = True
        self.starts = 0
        self.running = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-c", self._program, "run", *self._words],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def look_after(self) -> None:
        """Start it again if it ended."""
        if self.is_wanted and self.running.poll() is not None:
            self.running = self._start()

    def end(self) -> None:
        self.is_wanted = False
        self.running.send_signal(signal.SIGCONT)
        self.running.terminate()
        try:
            self.running.wait(20)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


class ManyProcesses:
    """Two of each process, over *brokers* brokers, from `__enter__` to `__exit__`."""

    def __init__(
        self,
        home: Path,
        *,
        stations: int,
        brokers: int = 3,
        parts: Sequence[str] = PARTS,
        answers_early: bool = False,
    ) -> None:
        self._answers_early = answers_early
        self.home, self._declared, self._wanted = home, stations, parts
        self.brokers = KafkaBrokers(home / "kafka", count=brokers, session_seconds=3)
        self._database: EmbeddedPostgres | None = None
        self.kafka = KafkaCluster(bootstrap=self.brokers.bootstrap)
        self._profile = "production" if brokers > 1 else "development"
        self._ports = [_free_port(), _free_port()]
        self._chance = random.Random(0)
        self.processes: dict[str, _Process] = {}
        self._exits = ExitStack()
        self._ending = threading.Event()
        self._timers: list[threading.Timer] = []
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
        return [f"ws://127.0.0.1:{port}" for port in self._ports]

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            exits.enter_context(self.brokers)
            self._database = exits.enter_context(EmbeddedPostgres(self.home / "data"))
            self._write_settings()
            self.command("kafka", "init")
            fleet = self.home / "fleet.yaml"
            fleet.write_text(master_data(self._declared))
            tariff = ROOT / "examples" / "tariffs" / "energy-only.yaml"
            self.command("tariff", "publish", str(tariff), "--valid-from", "2020-01-01")
            self.command("apply", str(fleet))
            exits.callback(self._end_processes)
            for name in self._wanted:
                words = [name.split("-")[0], *self._place(name)]
                place = ["--config", str(self.home / "settings.toml")]
                log = self.home / f"{name}.log"
                self.processes[name] = _Process(self._program(name), [*words, *place], log)
            watcher = threading.Thread(target=self._look_after)
            watcher.start()
            exits.callback(watcher.join)
            exits.callback(self._ending.set)
            for name in self.processes:
                wait_until(lambda name=name: self._has_begun(name), f"{name} begins")  # type: ignore[misc]
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
        place = ["--config", str(self.home / "settings.toml")]
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments, *place],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def kill(self, kind: str) -> None:
        """Kill -9 something of *kind*: a part, `leader`, `controller`, `postgres`.

        Or let a broker stand still (`slow`), PostgreSQL be `away`, the workers come and go
        (`storm`).
        """
        match kind:
            case "slow":
                number = self._chance.choice(self.brokers.numbers)
                self.brokers.pause(number)
                self._later(SLOW_SECONDS, lambda: self.brokers.resume(number))
            case "away":
                self.keeps_database = False
                kill_nine(self.database.processes() - {0})
                self._later(AWAY_SECONDS, lambda: setattr(self, "keeps_database", True))
            case "storm":
                for _ in range(STORM_ROUNDS):
                    for name in ("worker-1", "worker-2"):
                        self.processes[name].running.terminate()
                        time.sleep(self._chance.uniform(0.5, 1.5))
            case "leader":
                self._fail_over(self._leader())
            case "controller":
                self._fail_over(self.brokers.controller)
            case "postgres":
                kill_nine(self.database.processes() - {0})
            case part:
                name = self._chance.choice([each for each in self.processes if part in each])
                self.processes[name].running.kill()

    def mend(self) -> None:
        """Start brokers again that were killed, and wait until all of them have everything."""
        for timer in self._timers:
            timer.join()
        self._timers.clear()
        for number in self.brokers.ended():
            self.brokers.start(number)
        wait_until(self._is_in_sync, "all replicas are in sync", 90)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, act)
        timer.start()
        self._timers.append(timer)

    def _fail_over(self, number: int) -> None:
        self.brokers.kill(number)

    def _leader(self) -> int:
        client = AdminClient(self.kafka.client())
        topic = client.list_topics(self.kafka.topic, timeout=10).topics[self.kafka.topic]
        leader: int = topic.partitions[self._chance.randrange(PARTITIONS)].leader
        return leader

    def _is_in_sync(self) -> bool:
        client = AdminClient(self.kafka.client())
        found = client.list_topics(timeout=10)
        count = len(self.brokers.numbers)
        return len(found.brokers) == count and all(
            len(partition.isrs) == len(partition.replicas)
            for topic in found.topics.values()
            for partition in topic.partitions.values()
        )

    def _program(self, name: str) -> str:
        return ANSWERS_EARLY if self._answers_early and "stations" in name else PROGRAM

    def _place(self, name: str) -> list[str]:
        ports = dict(zip(("stations-1", "stations-2"), self._ports, strict=True))
        return ["--port", str(ports[name])] if name in ports else []

    def _has_begun(self, name: str) -> bool:
        text = (self.home / f"{name}.log").read_text("utf-8", "replace")
        return "stations connect" in text or "is ready" in text

    def _write_settings(self) -> None:
        rows = {
            "data": str(self.home / "own"),
            "database_url": self.database.dsn,
            "log": "kafka",
            "kafka_bootstrap": self.brokers.bootstrap,
            "kafka_profile": self._profile,
            "partitions": PARTITIONS,
            "tick_seconds": 1,
            "linger_ms": 200 if self._answers_early else 5,
            "metrics_port": 0,
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
                except DeployError as error:
                    sys.stderr.write(f"{error}\n")

    def _end_processes(self) -> None:
        for process in self.processes.values():
            process.end()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port

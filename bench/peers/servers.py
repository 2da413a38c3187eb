"""The servers that benchmarks measure, each in a process of its own: ours and the peer's."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger.log.kafka.cluster import KafkaCluster

PARTITIONS: Final = 8


@dataclass(frozen=True)
class Task:
    """What a server process is to do: on which core, over TLS or not, with which database."""

    core: int | None = None
    certificate: str = ""
    key: str = ""
    dsn: str = ""
    kafka: KafkaCluster | None = None

    def tls(self) -> ssl.SSLContext | None:
        """Return the server's context, None for plain WebSockets."""
        if not self.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True)
class Process:
    """A running server process: its port, and what it says of itself."""

    port: int
    _pipe: Connection

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        return float(self._ask("cpu"))

    def memory_kib(self) -> float:
        """Return the memory that belongs to it alone."""
        return float(self._ask("memory"))

    def _ask(self, question: str) -> Any:  # noqa: ANN401 - what a pipe carries
        self._pipe.send(question)
        return self._pipe.recv()


@contextmanager
def server_process(main: Callable[[Task, Connection], None], task: Task) -> Iterator[Process]:
    """Run *main* in a process of its own while the context lasts."""
    ours, theirs = multiprocessing.Pipe()
    # Not forked: its memory would be shared with ours and not be counted.
    process = multiprocessing.get_context("spawn").Process(target=main, args=(task, theirs))
    process.start()
    try:
        yield Process(ours.recv(), ours)
    finally:
        ours.send("stop")
        process.join(20)
        if process.is_alive():
            process.kill()


def run_ours(task: Task, pipe: Connection) -> None:
    """Serve with the product's server under uvloop; with a database, durably."""
    import uvloop  # noqa: PLC0415 - only this process needs it

    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_ours(task, pipe))


def run_peer(task: Task, pipe: Connection) -> None:
    """Serve as the documentation of `websockets` and `ocpp` does, on asyncio."""
    pin(task)
    asyncio.run(_serve_peer(task, pipe))


async def _serve_ours(task: Task, pipe: Connection) -> None:
    from ingest.edge.admissions import Admissions  # noqa: PLC0415 - only this process needs it
    from ingest.edge.known_keys import KnownKeys  # noqa: PLC0415
    from ingest.edge.server import Listener, serve  # noqa: PLC0415
    from tests.at_the_edge import NamedSubjects  # noqa: PLC0415
    from tests.fakes import (  # noqa: PLC0415
        FixedClock,
        MemoryAdmissions,
        MemoryEpochs,
        MemoryIds,
        NoCommands,
    )

    clock = FixedClock()
    async with _log(task) as log:
        server = await serve(
            log=log,
            directory=_Directory(),
            subjects=NamedSubjects(),
            ids=MemoryIds(),
            epochs=MemoryEpochs(),
            clock=clock,
            admissions=Admissions(MemoryAdmissions(), KnownKeys(bytes(32)), clock),
            commands=NoCommands(),
            listeners=[Listener(tls=task.tls())],
        )
        await answer_until_stopped(pipe, server.ports[0])
        await server.close()


@asynccontextmanager
async def _log(task: Task) -> AsyncIterator[Any]:
    from ledger.log.postgres_lines import PostgresLineWriter  # noqa: PLC0415
    from tests.fakes import MemoryLog  # noqa: PLC0415

    if task.kafka is not None:
        from ledger.log.kafka.line_writer import KafkaLineWriter  # noqa: PLC0415
        from ledger.log.kafka.topics import PROFILES  # noqa: PLC0415

        profile = PROFILES["development"]
        async with await KafkaLineWriter.open(
            task.kafka, partitions=PARTITIONS, profile=profile
        ) as log:
            yield log
    elif task.dsn:
        async with await PostgresLineWriter.open(task.dsn, partitions=PARTITIONS) as log:
            yield log
    else:
        yield MemoryLog()


class _Directory:
    """Everyone may connect who knows the benchmark's password."""

    def __init__(self) -> None:
        from bench.peers.load import PASSWORD  # noqa: PLC0415 - only this process needs it
        from ledger.declared.passwords import hash_password  # noqa: PLC0415

        self._hashes = (hash_password(PASSWORD),)

    async def station(self, identity: str) -> Any:  # noqa: ANN401 - imported late
        from ingest.directory import StationAccess  # noqa: PLC0415

        return StationAccess(station_id=identity, password_hashes=self._hashes)

    async def token(self, subject_id: str, showing: Any = None) -> None:  # noqa: ANN401 - imported late
        del subject_id, showing

    async def unknown_token(self, station_id: str, subject_id: str, *, seen_at: datetime) -> Any:  # noqa: ANN401 - imported late
        from ingest.directory import AuthorizationStatus  # noqa: PLC0415

        del station_id, subject_id, seen_at
        return AuthorizationStatus.INVALID

    async def is_funded(
        self, station_id: str, transaction_ref: str, subject_id: str | None = None
    ) -> bool:
        del station_id, transaction_ref, subject_id
        return False

    async def price_terms(self, station_id: str) -> Any:  # noqa: ANN401 - imported late
        from ingest.directory import NO_PRICES  # noqa: PLC0415

        del station_id
        return NO_PRICES

    async def tariff_in_force(
        self, station_id: str, subject_id: str | None, *, partner: str | None = None
    ) -> None:
        del station_id, subject_id, partner

    async def policy_in_force(self) -> Any:  # noqa: ANN401 - imported late
        from ledger.master_data.policies import Policy  # noqa: PLC0415

        return Policy()


async def _serve_peer(task: Task, pipe: Connection) -> None:
    from websockets.asyncio.server import ServerConnection  # noqa: PLC0415 - only this process
    from websockets.asyncio.server import serve as serve_websockets  # noqa: PLC0415
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415
    from websockets.typing import Subprotocol  # noqa: PLC0415

    from bench.peers.station import PeerStation  # noqa: PLC0415

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        station = PeerStation(socket.request.path.strip("/"), socket)
        try:
            await station.start()
        except ConnectionClosed:
            return

    async with serve_websockets(
        handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], ssl=task.tls()
    ) as server:
        await answer_until_stopped(pipe, next(iter(server.sockets)).getsockname()[1])


async def answer_until_stopped(pipe: Connection, port: int) -> None:
    """Tell the port, then answer questions about this process."""
    pipe.send(port)
    loop = asyncio.get_running_loop()
    while (question := await loop.run_in_executor(None, pipe.recv)) != "stop":
        pipe.send(time.process_time() if question == "cpu" else memory_kib())


def memory_kib() -> int:
    """Return this process's private memory."""
    with open("/proc/self/smaps_rollup") as rollup:  # noqa: PTH123 - no path to build
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


def pin(task: Task) -> None:
    """Keep this process to the core of *task*."""
    if task.core is not None:
        os.sched_setaffinity(0, {task.core})

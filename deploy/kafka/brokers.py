"""Kafka brokers as processes of this machine: one, or three that stand in for each other."""

from __future__ import annotations

import base64
import ctypes
import json
import logging
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Self

from deploy.errors import DeployError
from deploy.kafka.jars import kafka_jars

READY_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 20.0
_JAVA: Final = ("-Xmx384m", "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PR_SET_PDEATHSIG: Final = 1
_MUTE: Final = logging.getLogger("wattledger.kafka.starting")
_MUTE.setLevel(logging.CRITICAL)
_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class KafkaBrokerError(DeployError):
    """A broker does not start."""

    def __init__(self, what: str, log: Path) -> None:
        last = "\n".join(log.read_text("utf-8", "replace").splitlines()[-5:])
        super().__init__(f"the Kafka broker {what}; its log, {log}, ends:\n{last}")


@dataclass(slots=True)
class _Node:
    """One combined broker and controller."""

    number: int
    home: Path
    broker_port: int
    controller_port: int
    process: subprocess.Popen[bytes] | None = None
    held: list[socket.socket] = field(default_factory=list)


class KafkaBrokers:
    """Brokers over *home*, from `__enter__` to `__exit__`; each is controller and broker.

    Their replication is as many as there are, of which all but one must have a message.
    """

    def __init__(self, home: Path, *, count: int = 1, session_seconds: float = 9.0) -> None:
        """Choose free ports; nothing runs yet.

        Args:
            home: An empty folder, or one of an earlier run with as many brokers.
            count: How many.
            session_seconds: How long a dead one is waited for.
        """
        self.home, self._session_seconds = home, session_seconds
        self._nodes = [_node(home, number) for number in range(1, count + 1)]
        self._exits = ExitStack()

    @property
    def bootstrap(self) -> str:
        """Where clients begin: `host:port,host:port`."""
        return ",".join(f"127.0.0.1:{node.broker_port}" for node in self._nodes)

    @property
    def numbers(self) -> Sequence[int]:
        """The brokers' ids."""
        return [node.number for node in self._nodes]

    def __enter__(self) -> Self:
        """Start all and return once they know each other.

        Raises:
            KafkaBrokerError: If one does not start.
            NoKafkaJarsError: If this machine cannot run any.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "log4j2.properties").write_text(_LOGGING)
        with ExitStack() as exits:
            exits.callback(self._end)
            self._format()
            for node in self._nodes:
                self._start(node)
            self._await_all()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def controller(self) -> int:
        """The id of the broker that leads the others, by what they last wrote down."""
        votes = []
        for node in self._nodes:
            path = node.home / "log" / "__cluster_metadata-0" / "quorum-state"
            state = json.loads(path.read_text())
            votes.append((state["leaderEpoch"], state["leaderId"]))
        return int(max(votes)[1])

    def ended(self) -> Sequence[int]:
        """Return the ids of brokers that do not run."""
        return [
            node.number
            for node in self._nodes
            if node.process is None or node.process.poll() is not None
        ]

    def processes(self) -> Sequence[int]:
        """Return the process ids of those that run."""
        return [
            node.process.pid
            for node in self._nodes
            if node.process is not None and node.process.poll() is None
        ]

    def keep_running(self) -> None:
        """Start again whoever ended."""
        for number in self.ended():
            self.start(number)

    def kill(self, number: int) -> None:
        """End a broker at once, as a power failure does."""
        process = self._node(number).process
        assert process is not None
        process.kill()
        process.wait()

    def pause(self, number: int) -> None:
        """Let a broker hang; `resume` ends that."""
        self._signal(number, signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a paused broker go on."""
        self._signal(number, signal.SIGCONT)

    def start(self, number: int) -> None:
        """Start a broker that was killed."""
        self._start(self._node(number))

    def _node(self, number: int) -> _Node:
        return next(node for node in self._nodes if node.number == number)

    def _signal(self, number: int, which: signal.Signals) -> None:
        process = self._node(number).process
        assert process is not None
        process.send_signal(which)

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        id_of = [f"--cluster-id={cluster}"]  # one word: an id may begin with "-"
        for node in self._nodes:
            node.home.mkdir(parents=True, exist_ok=True)
            config = node.home / "server.properties"
            rows = self.properties(node.number, node.broker_port, node.controller_port)
            config.write_text("".join(f"{key}={value}\n" for key, value in rows.items()))
            if (node.home / "log" / "meta.properties").exists():
                continue
            log = node.home / "kafka.log"
            with log.open("ab") as output:
                done = subprocess.run(  # noqa: S603 - our own words
                    [*self._java("kafka.tools.StorageTool"), "format", *id_of, "-c", config],
                    stdout=output,
                    stderr=output,
                    check=False,
                )
            if done.returncode:
                what = "cannot make its folder"
                raise KafkaBrokerError(what, log)

    def _start(self, node: _Node) -> None:
        for each in node.held:
            each.close()
        node.held.clear()
        with (node.home / "kafka.log").open("ab") as output:
            node.process = _spawn(
                [*self._java("kafka.Kafka"), str(node.home / "server.properties")], output
            )

    def _java(self, main: str) -> list[str]:
        log = f"-Dlog4j2.configurationFile={self.home / 'log4j2.properties'}"
        return ["java", *_JAVA, log, "-cp", f"{kafka_jars()}/*", main]

    def properties(self, number: int, port: int, controller_port: int) -> dict[str, object]:
        """Return what a broker is told, by Kafka's names."""
        count, safe = len(self._nodes), max(1, len(self._nodes) - 1)
        voters = ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in self._nodes)
        mine = f"127.0.0.1:{port}"
        session = int(self._session_seconds * 1000)
        return {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{mine},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{mine}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._node(number).home / "log",
            "default.replication.factor": count,
            "min.insync.replicas": safe,
            "offsets.topic.replication.factor": count,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": safe,
            "share.coordinator.state.topic.replication.factor": count,
            "share.coordinator.state.topic.min.isr": safe,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "message.max.bytes": 4 << 20,
            "replica.fetch.max.bytes": 4 << 20,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "broker.session.timeout.ms": session,
            "broker.heartbeat.interval.ms": min(2000, session // 6),
        }

    def _await_all(self) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - only who runs brokers
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        limit = time.monotonic() + READY_SECONDS_MAX
        for node in self._nodes:
            server: dict[str, str | int | float | bool] = {
                "bootstrap.servers": f"127.0.0.1:{node.broker_port}"
            }
            client = AdminClient(server, logger=_MUTE)
            while True:
                with suppress(KafkaException):
                    if len(client.list_topics(timeout=2).brokers) == len(self._nodes):
                        break
                ended = node.process is not None and node.process.poll() is not None
                if ended or time.monotonic() > limit:
                    what = "ended" if ended else "does not get ready"
                    raise KafkaBrokerError(what, node.home / "kafka.log")
                time.sleep(0.1)

    def _end(self) -> None:
        running = [node.process for node in self._nodes if node.process is not None]
        for process in running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        limit = time.monotonic() + STOP_SECONDS_MAX
        for process in running:
            try:
                process.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _node(home: Path, number: int) -> _Node:
    """Return a node with two ports that stay ours until it starts: those of an earlier run."""
    config = home / f"broker-{number}" / "server.properties"
    known = re.findall(r"127\.0\.0\.1:(\d+)", _line(config, "listeners")) or [0, 0]
    held = [socket.create_server(("127.0.0.1", int(port))) for port in known]
    broker, controller = (each.getsockname()[1] for each in held)
    return _Node(number, home / f"broker-{number}", broker, controller, held=held)


def _spawn(command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # The kernel looks at the thread, not at the process, that made it: only the main one stays.
    is_main = threading.current_thread() is threading.main_thread()
    # A group of its own: Ctrl-C is ours to act upon, in our order.
    return subprocess.Popen(  # noqa: S603 - our own words
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
        preexec_fn=_end_with_parent if is_main else None,  # noqa: PLW1509 - the only way to outlive nobody
    )


def _end_with_parent() -> None:
    """Ask the kernel to end this process with the thread that made it, however that ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _line(config: Path, key: str) -> str:
    text = config.read_text() if config.exists() else ""
    return next((line for line in text.splitlines() if line.startswith(f"{key}=")), "")

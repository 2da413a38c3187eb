"""How the parts become one system: what `wattledger up` starts, and the demo with its clock."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from deploy.documents.process import make_documents
from deploy.interface.process import HttpAddresses, serve_console, serve_http
from deploy.listening import written_place
from deploy.observing.endpoint import Endpoint, address_of, open_listeners
from deploy.observing.system_condition import SystemCondition
from deploy.observing.watch import Watch
from deploy.payments.process import run_payments
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.roaming.process import run_roaming
from deploy.running import processes
from deploy.running.opening import prepare
from deploy.running.owner import sole_owner
from deploy.running.parts import Part, PartContext, ProductClock, write_log
from deploy.running.supervisor import Supervisor
from deploy.settings import Settings

PARTS = (
    Part("stations", processes.serve_stations),
    Part("worker", processes.work),
    Part("invoicing", processes.issue_invoices),
    Part("documents", make_documents),
    Part("roaming", run_roaming),
)
"""In the order in which they end: nothing new comes in while what came is finished."""
PUBLISHING = Part("publishing", processes.publish_decisions)
"""Where there is Kafka; the last to end."""
PAYMENTS = Part("payments", run_payments)
"""Where a payment provider's key is set."""
INTERFACE = Part("interface", serve_http)
"""The first to end. Further ones may run beside it (`wattledger run interface`)."""

CONSOLE = Part("console", serve_console)
"""Of the interface its pages alone; `up` has them in the interface."""


def parts_for(settings: Settings) -> Sequence[Part]:
    """Return the parts that a system with these *settings* has."""
    first = (INTERFACE,) if max(settings.http_port, settings.files_port) >= 0 else ()
    paid = (PAYMENTS,) if settings.stripe_key else ()
    last = (PUBLISHING,) if settings.log == "kafka" else ()
    return (*first, *PARTS, *paid, *last)


class System:
    """The whole product over one data folder, running from `__enter__` to `__exit__`."""

    def __init__(
        self, settings: Settings, clock: ProductClock, *, parts: Sequence[Part] | None = None
    ) -> None:
        """Say what runs; *parts*: not all that the *settings* want, for their turns are taken."""
        self.settings, self.clock = settings, clock
        self._parts = parts_for(settings) if parts is None else parts
        self.dsn = ""
        self.addresses: tuple[str, ...] = ()
        self.interface = ""
        """Where the HTTP interface is, "" where there is none."""
        self.files = ""
        """Where stations fetch and send files, "" where they do not."""
        self.partners = ""
        """Where roaming partners reach us, "" where that is the interface."""
        self.endpoints: Mapping[str, str] = {}
        """Where each part tells of its health, by its name; `up` is this process."""
        self._exits = ExitStack()
        self._supervisor: Supervisor | None = None

    @property
    def supervisor(self) -> Supervisor:
        """The running parts."""
        assert self._supervisor is not None
        return self._supervisor

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            DeployError: If the folder is served already or a part does not start.
        """
        with ExitStack() as exits:
            exits.enter_context(sole_owner(self.settings.data))
            write_log(self.settings)
            logging.getLogger("wattledger").info("starting")
            parts = self._parts
            listeners = open_listeners(self.settings, ("up", *(part.name for part in parts)))
            for each in listeners.values():
                exits.callback(each.close)
            self.endpoints = {name: address_of(each) for name, each in listeners.items()}
            watch = Watch("up")
            if "up" in listeners:
                exits.enter_context(Endpoint(watch, listeners["up"]))
            server = None
            if not self.settings.database_url:
                server = exits.enter_context(EmbeddedPostgres(self.settings.data))
            self.dsn = server.dsn if server else self.settings.database_url
            prepare(self.dsn, self.settings)
            self._supervisor = Supervisor(
                parts,
                self._context(),
                keep_database=server.ensure_running if server else _nothing,
                told=self._told,
                listeners=listeners,
                beat=watch.beat,
            )
            watch.begin(SystemCondition(self._supervisor))
            exits.callback(self._supervisor.stop)
            self._supervisor.start()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _told(self, name: str, news: object) -> PartContext:
        """Take over what a part says of itself; a restarted server keeps its port."""
        if name == "stations":
            assert isinstance(news, processes.Ports)
            ports = {key: port for key, port in news._asdict().items() if port is not None}
            self.settings = replace(self.settings, **ports)
            self.addresses = tuple(
                f"{scheme}://{written_place(self.settings.listen_host, port)}"
                for scheme, port in (("ws", news.listen_port), ("wss", news.tls_port))
                if port is not None
            )
        if name == "roaming":
            self.partners = str(news)
        if name == INTERFACE.name:
            assert isinstance(news, HttpAddresses)
            self.interface, self.files = news
            if self.interface:
                self.settings = replace(self.settings, http_port=_port_of(self.interface))
            if self.files:
                self.settings = replace(self.settings, files_port=_port_of(self.files))
        return self._context()

    def _context(self) -> PartContext:
        # One system a data folder: after a restart it is the same holder.
        holder = f"{socket.gethostname()}:{self.settings.data}"
        return PartContext(settings=self.settings, clock=self.clock, dsn=self.dsn, holder=holder)


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def _nothing() -> None:
    """Keep nothing running: somebody else's database is somebody else's."""

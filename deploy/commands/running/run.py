"""`wattledger run`: one part of the system as a process, for several machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from deploy.commands.data_folder import FOLDER, DataFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import say

if TYPE_CHECKING:
    from deploy.settings import Settings


def stations(*, port: int | None = None, folder: DataFolder = FOLDER) -> int:
    """Serve charging stations; any number of these processes may run, behind a TCP balancer.

    One of them says to the log that time passes; another takes over within seconds.

    Args:
        port: Port for stations (setting `listen_port`).
        folder: Where its settings and its small files are.
    """
    from deploy.running.processes import Ports

    def tell(news: object) -> None:
        assert isinstance(news, Ports)
        ports = {"ws": news.listen_port, "wss": news.tls_port}
        open_ports = [f"{scheme} {port}" for scheme, port in ports.items() if port is not None]
        say(f"stations connect: {', '.join(open_ports)}")

    return _run("stations", folder.settings(listen_port=port), tell)


def interface(*, port: int | None = None, folder: DataFolder = FOLDER) -> int:
    """Serve the HTTP interface, and files where `files_port` is set.

    Any number of these processes may run.

    Args:
        port: Its port (setting `http_port`).
        folder: Where its settings and its small files are.
    """
    from deploy.interface.process import HttpAddresses

    settings = folder.settings(http_port=port)

    def tell(news: object) -> None:
        assert isinstance(news, HttpAddresses)
        if news.interface:
            say(f"the interface is at {news.interface}, described in /schema/openapi.json")
            _say_how_to_begin(settings, news.interface)
        if news.files:
            say(f"stations fetch and send files at {news.files}")

    return _run("interface", settings, tell)


def console(*, port: int | None = None, folder: DataFolder = FOLDER) -> int:
    """Serve the console alone, for people with a browser; the interface serves it too.

    Any number of these processes may run.

    Args:
        port: Its port (setting `http_port`); taken or 0: a free one, which is printed.
        folder: Where its settings and its small files are.
    """
    from deploy.interface.process import HttpAddresses

    settings = folder.settings(http_port=port)

    def tell(news: object) -> None:
        assert isinstance(news, HttpAddresses)
        say(f"the console is at {news.interface}/console")
        _say_how_to_begin(settings, news.interface)

    return _run("console", settings, tell)


def _say_how_to_begin(settings: Settings, address: str) -> None:
    from deploy.clock import SystemClock
    from deploy.console.first_start import first_address, first_words
    from deploy.running.opening import opened
    from ledger.database import dsn_of

    here = settings.console_at(address)
    with opened(settings) as connection:
        first = first_address(dsn_of(connection), here, SystemClock().now(), by=acting())
    if first:
        say(*first_words(first).split("\n"))


def worker(*, folder: DataFolder = FOLDER) -> int:
    """Turn the log into sessions and decisions; where it is in Kafka, any number share it.

    A log in PostgreSQL has one worker: a second one ends at once.

    Args:
        folder: Where its settings and its small files are.
    """
    return _run("worker", folder.settings(), _say_ready("worker"))


def invoicing(*, folder: DataFolder = FOLDER) -> int:
    """Issue invoices; of several such processes one does, another takes over within seconds.

    Args:
        folder: Where its settings and its small files are.
    """
    return _run("invoicing", folder.settings(), _say_ready("invoicing"))


def documents(*, folder: DataFolder = FOLDER) -> int:
    """Render documents once they are booked, and deliver them; any number may run.

    All of them render, one delivers, another takes over within seconds.

    Args:
        folder: Where its settings and its small files are.
    """
    return _run("documents", folder.settings(), _say_ready("documents"))


def roaming(*, port: int | None = None, folder: DataFolder = FOLDER) -> int:
    """Exchange with roaming partners, and serve them where they have a port; any number may run.

    What one alone may do, one does, and another takes over.

    Args:
        port: The port for partners (setting `roaming_port`); -1: they come to the interface.
        folder: Where its settings and its small files are.
    """

    def tell(news: object) -> None:
        say(f"partners reach us at {news}" if news else "roaming is ready")

    return _run("roaming", folder.settings(roaming_port=port), tell)


def payments(*, folder: DataFolder = FOLDER) -> int:
    """Ask the payment provider for what is decided; of several such processes one does.

    Another takes over within seconds. Wants `stripe_key`.

    Args:
        folder: Where its settings and its small files are.
    """
    return _run("payments", folder.settings(), _say_ready("payments"))


def projections(*, folder: DataFolder = FOLDER) -> int:
    """Publish decisions in Kafka; of several such processes one does, another takes over.

    Wants the log in Kafka.

    Args:
        folder: Where its settings and its small files are.
    """
    return _run("publishing", folder.settings(), _say_ready("projections"))


def _say_ready(name: str) -> Callable[[object], None]:
    return lambda _: say(f"{name} is ready")


def _run(name: str, settings: Settings, ready: Callable[[object], None]) -> int:
    from deploy.running.alone import run_alone
    from deploy.running.wiring import CONSOLE, INTERFACE, PAYMENTS, parts_for

    # Also where `up` starts none.
    parts = (*parts_for(settings), INTERFACE, CONSOLE, PAYMENTS)
    part = next((part for part in parts if part.name == name), None)
    if part is None:
        message = 'there is nothing to do: decisions are published where log = "kafka"'
        raise DeployError(message)
    run_alone(part, settings, ready)
    return 0

"""`wattledger up`: serve stations until stopped."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.commands.data_folder import FOLDER, DataFolder
from deploy.commands.users.acting import acting
from deploy.console.first_start import first_address, first_words
from deploy.output import say

if TYPE_CHECKING:
    from deploy.running.wiring import System


def up(
    *,
    port: int | None = None,
    listen_host: str | None = None,
    folder: DataFolder = FOLDER,
) -> int:
    """Serve charging stations, rate and invoice, until stopped.

    Starts the database (unless the setting `database_url` names one), the server for stations, the
    worker, what issues invoices and the HTTP interface. Everything is kept in the data folder; stop
    with Ctrl-C and start again at any time.

    Args:
        port: Port for stations (setting `listen_port`).
        listen_host: Address for stations (setting `listen_host`).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.running.wiring import System

    settings = folder.settings(listen_port=port, listen_host=listen_host)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say(f"starting, with the data in {settings.data}")
    with System(settings, SystemClock()) as system:
        say(*welcome(system, settings.data).split("\n"))
        here = settings.console_at(system.interface)
        address = first_address(system.dsn, here, system.clock.now(), by=acting())
        if address:
            say(*first_words(address).split("\n"))
        while not stop.wait(1.0):
            pass
        say("stopping")
    say("stopped")
    return 0


def _database(system: System) -> str:
    """Say how psql and pg_dump reach the embedded database; an own one's address has a password."""
    return "" if system.settings.database_url else f"Database, for psql and pg_dump: {system.dsn}\n"


def welcome(system: System, data: Path) -> str:
    """Return where all of a running system is, for who has started it."""
    where = "\n".join(f"  {address}/STATION-ID" for address in system.addresses)
    again = f" --data {data}"
    if system.interface:
        where += (
            f"\nThe HTTP interface: {system.interface}, its console: {system.interface}/console"
        )
    if system.files:
        where += f"\nStations fetch and send files at {system.files}"
    if system.partners:
        where += f"\nRoaming partners reach us at {system.partners}"
    health = "".join(f"\n  {name:<9}  {address}" for name, address in system.endpoints.items())
    if health:
        health = f"Health and metrics (/healthz, /readyz, /metrics):{health}\n"
    return (
        f"Wattledger is up. Stations connect (OCPP 1.6J, 2.0.1 and 2.1, HTTP Basic) at\n{where}\n"
        f"Data and log: {data}\n{_database(system)}{health}"
        "In another terminal:\n"
        f"  wattledger apply FILE...{again}     declare sites, stations, tokens, customers\n"
        f"  wattledger sessions{again}          see who charges\n"
        f"  wattledger invoices{again}          see what was invoiced\n"
        "Ctrl-C stops."
    )

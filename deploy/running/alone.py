"""One part of the system as a process of its own, where others run the rest on other machines."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from secrets import token_hex

from deploy.clock import SystemClock
from deploy.errors import DeployError
from deploy.observing.endpoint import Endpoint, address_of, open_listener
from deploy.observing.watch import Watch
from deploy.running.opening import prepare
from deploy.running.owner import make_folder
from deploy.running.parts import LogFormat, Part, PartContext
from deploy.settings import Settings


class NeedsDatabaseError(DeployError):
    """Processes on several machines share a database, which none of them can start."""

    def __init__(self) -> None:
        super().__init__(
            "a process of its own wants a database that all share: set database_url "
            "(WATTLEDGER_DATABASE_URL=postgresql://...); `wattledger up` runs all on one machine"
        )


def run_alone(part: Part, settings: Settings, ready: Callable[[object], None]) -> None:
    """Be the process of *part* until SIGTERM or Ctrl-C; its log goes to standard error.

    Raises:
        NeedsDatabaseError: If the settings name no database.
        MetricsPortError: If the port for health and metrics is taken.
        Exception: Whatever ends the part; whoever supervises the process starts it again.
    """
    if not settings.database_url:
        raise NeedsDatabaseError
    make_folder(settings.data)
    _log_to_stderr(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log = logging.getLogger(f"wattledger.{part.name}")
    watch = Watch(part.name)
    listener = open_listener(settings, part.name)
    if listener is not None:
        log.info("health and metrics at %s", address_of(listener))
    # Another one of the same part may run beside it, with the same folder.
    holder = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
    context = PartContext(
        settings=settings, clock=SystemClock(), dsn=settings.database_url, holder=holder
    )
    with nullcontext() if listener is None else Endpoint(watch, listener):
        prepare(settings.database_url, settings)
        log.info("started, process %s", os.getpid())
        part.run(context, stop, ready, watch)
    log.info("ended")


def _log_to_stderr(settings: Settings) -> None:
    with suppress(ValueError, AttributeError):
        sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormat())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)

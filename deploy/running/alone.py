"""One part of the system as a process of its own, where others run the rest on other machines."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from deploy.clock import SystemClock
from deploy.errors import DeployError
from deploy.observing.endpoint import Endpoint, address_of, open_listener
from deploy.observing.watch import Watch
from deploy.running.opening import prepare
from deploy.running.owner import make_folder
from deploy.running.parts import LogFormat, Part, PartContext, watched
from deploy.settings import Settings

LOGGER = logging.getLogger("wattledger.alone")
LOOK_SECONDS = 1.0


def run_alone(part: Part, settings: Settings, ready: Callable[[object], None]) -> None:
    """Be the process of *part* until SIGTERM or Ctrl-C; its log goes to standard error.

    Without `database_url` the embedded database of the data folder serves all such processes of
    this machine.

    Raises:
        MetricsPortError: If the port for health and metrics is taken.
        Exception: Whatever ends the part; whoever supervises the process starts it again.
    """
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
    with ExitStack() as exits:
        if listener is not None:
            exits.enter_context(Endpoint(watch, listener))
        dsn = settings.database_url or exits.enter_context(_embedded(settings.data))
        context = PartContext(settings=settings, clock=SystemClock(), dsn=dsn, holder=holder)
        prepare(dsn, settings)
        log.info("started, process %s", os.getpid())
        with watched(part, dsn):
            part.run(context, stop, ready, watch)
    log.info("ended")


@contextmanager
def _embedded(data: Path) -> Iterator[str]:
    """Yield where the embedded database is; it is started again should it end."""
    from deploy.postgres.embedded import EmbeddedPostgres  # noqa: PLC0415 - only without another

    ending = threading.Event()
    with EmbeddedPostgres(data) as server:

        def keep() -> None:
            while not ending.wait(LOOK_SECONDS):
                try:
                    server.ensure_running()
                except DeployError as error:
                    LOGGER.error("%s", error)  # noqa: TRY400 - the message says it all

        keeper = threading.Thread(target=keep, daemon=True)
        keeper.start()
        try:
            yield server.dsn
        finally:
            ending.set()
            keeper.join()


def _log_to_stderr(settings: Settings) -> None:
    with suppress(ValueError, AttributeError):
        sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormat())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)

"""A part of the running system: one process, what it is told and how it ends."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from deploy.clock import SteppedClock, SystemClock
from deploy.observing.endpoint import Endpoint
from deploy.observing.watch import Watch
from deploy.postgres.newer import ended_by_newer
from deploy.postgres.private_files import open_private
from deploy.settings import Settings
from tariffs.phrases.printable import printable

LOG_FILE = "wattledger.log"
LOG_BYTES_MAX = 64 << 20
ALONE_SECONDS_MAX = 15.0
END_SECONDS_MAX = 30.0
"""Longer than who supervises a part waits: this is for one that ends because of an error."""

ProductClock = SystemClock | SteppedClock


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContext:
    """What every part is given: where the database is, and which time it is."""

    settings: Settings
    clock: ProductClock
    dsn: str
    holder: str = ""
    """What this process is called where only one may act: the same after a restart, no other's."""


class RunPart(Protocol):
    """The work of a part: a module's function, for a new process must find it by name."""

    def __call__(
        self,
        context: PartContext,
        stop: threading.Event,
        ready: Callable[[object], None],
        watch: Watch,
    ) -> None:
        """Work until *stop* is set; call *ready* once, with what others must know.

        *watch* is told that the loop turns, and how to find out the part's condition.
        """


@dataclass(frozen=True, slots=True)
class Part:
    """A process by name."""

    name: str
    run: RunPart


@dataclass(frozen=True, slots=True)
class Failure:
    """What a part tells its supervisor before it ends because of an error."""

    words: str


def run_part(
    part: Part, context: PartContext, pipe: Connection, listener: socket.socket | None
) -> None:
    """Be the process of *part*: end at SIGTERM, or when the supervisor is gone.

    On *listener* it answers for its health; without one nobody can ask.
    """
    write_log(context.settings)
    stop = threading.Event()
    # Ctrl-C reaches the whole group: the supervisor decides in which order we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    watch = Watch(part.name)
    endpoint = None if listener is None else Endpoint(watch, listener)
    threading.Thread(target=end_with_parent, args=(endpoint,), daemon=True).start()
    log = logging.getLogger(f"wattledger.{part.name}")
    log.info("started, process %s", os.getpid())
    try:
        with endpoint or nullcontext(), watched(part, context.dsn):
            part.run(context, stop, pipe.send, watch)
    except Exception as error:
        log.exception("failed")
        with suppress(OSError):
            pipe.send(Failure(str(error) or type(error).__name__))
        raise SystemExit(1) from None
    log.info("ended")


def watched(part: Part, dsn: str) -> AbstractContextManager[None]:
    """Return what ends the process of *part* where a newer version takes over its tables.

    Not that of stations: they are answered while all else is brought up to date, and what they say
    is in the log.
    """
    return nullcontext() if part.name == "stations" else ended_by_newer(dsn)


class SharedLog(WatchedFileHandler):
    """The log of several processes in one file; a full one is put aside, by one of them alone.

    The one put aside before goes: what is told for years takes twice `LOG_BYTES_MAX` at the most.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, into the file that stands there now; where none can be, nobody fails."""
        try:
            super().emit(record)
            # Gone: another one puts it aside at this moment.
            with suppress(FileNotFoundError):
                if Path(self.baseFilename).stat().st_size > LOG_BYTES_MAX:
                    self._put_aside()
        except OSError:
            self.handleError(record)

    def _put_aside(self) -> None:
        there = Path(self.baseFilename)
        with there.open("rb") as full:
            flock(full, LOCK_EX)
            known = os.fstat(full.fileno())
            # Whoever comes second finds another file there.
            if known.st_size > LOG_BYTES_MAX and os.path.samestat(known, there.stat()):
                there.replace(f"{there}.1")

    def _open(self) -> TextIOWrapper:
        open_private(Path(self.baseFilename)).close()
        return super()._open()


class LogFormat(logging.Formatter):
    """A line of the log for each thing that is told, however strangers name things in it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the one line, without what hangs on it."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802, ANN401 - logging's own name and type
        """Return a traceback: it may quote a stranger, and only it has several lines."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def write_log(settings: Settings) -> None:
    """Write this process's log to the data folder; nobody else may read it."""
    handler = SharedLog(settings.data / LOG_FILE)
    handler.setFormatter(LogFormat())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


def end_with_parent(endpoint: Endpoint | None = None) -> None:
    """Wait until the process that started this one is gone; then end, as by SIGTERM."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    # At once: who starts the system again wants its ports.
    if endpoint is not None:
        endpoint.end()
    os.kill(os.getpid(), signal.SIGTERM)
    # Nobody is left to kill a part that hangs.
    threading.Event().wait(ALONE_SECONDS_MAX)
    os._exit(1)


def end_in_a_while(seconds: float = END_SECONDS_MAX) -> None:
    """End this process in *seconds*, whatever hangs in it then, unless it ended by itself."""

    def end() -> None:
        logging.getLogger("wattledger").error("did not end by itself within %s s", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()

"""Keeps the parts running: starts them, starts them again when they die, stops them in order."""

from __future__ import annotations

import logging
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from deploy.errors import DeployError
from deploy.running.parts import LOG_FILE, Failure, Part, PartContext, run_part

LOGGER = logging.getLogger("wattledger.supervisor")
BACK_OFF_SECONDS = 0.25
BACK_OFF_SECONDS_MAX = 10.0
# Whoever ran that long has not failed to start: the pauses begin anew.
STEADY_SECONDS = 30.0
# A machine that does much else starts processes slowly; who waits is told nothing better by an end.
START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 20.0
LOOK_SECONDS = 1.0


class PartFailedError(DeployError):
    """A part does not start; `why` is what it said last, if anything."""

    def __init__(self, name: str, why: str, log: object) -> None:
        self.name, self.why = name, why
        said = f": {why}\nMore" if why else "; why"
        super().__init__(f"the part {name} does not start{said} stands at the end of {log}")


class PartLateError(DeployError):
    """A part neither got ready nor failed in the time that it has."""

    def __init__(self, name: str, log: object) -> None:
        self.name = name
        super().__init__(
            f"the part {name} was not ready within {START_SECONDS_MAX:.0f} s, and did not fail: "
            f"this machine may do too much else. Start again later; {log} has what was begun"
        )


@dataclass(slots=True)
class _Running:
    """One part's present process."""

    part: Part
    process: SpawnProcess
    pipe: Connection
    started: float
    failures: int = 0
    why: str = ""
    restart_at: float | None = None
    is_ready: bool = False

    @property
    def trouble(self) -> str | None:
        """Why the part does not work, in words; None where it does."""
        if self.restart_at is None and self.is_ready:
            return None
        said = f": {self.why}" if self.why else ""
        now = "is starting" if self.restart_at is None else "ended and will be started again"
        return f"{self.part.name} {now}{said}"


class Supervisor:
    """Runs *parts* as processes; `keep_database` is called before a start and each second."""

    def __init__(
        self,
        parts: Sequence[Part],
        context: PartContext,
        *,
        keep_database: Callable[[], object],
        told: Callable[[str, object], PartContext],
        listeners: Mapping[str, socket.socket],
        beat: Callable[[], None],
    ) -> None:
        self._listeners, self._beat = listeners, beat
        self._parts, self._part_context = parts, context
        self._keep_database, self._told = keep_database, told
        # Not fork: a child would inherit the parent's threads' locks and open connections.
        self._context = multiprocessing.get_context("spawn")
        self._running: list[_Running] = []
        self._ready: set[str] = set()
        self._all_ready = threading.Event()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self.restarted: Counter[str] = Counter()

    @property
    def restarts(self) -> int:
        """How often parts were started again."""
        return self.restarted.total()

    def troubles(self) -> dict[str, str | None]:
        """Return by part why it does not work, None where it does. Any thread may ask."""
        return {each.part.name: each.trouble for each in list(self._running)}

    def start(self) -> None:
        """Start all parts and return when each said that it is ready.

        Raises:
            PartFailedError: If one ends again and again.
            PartLateError: If one does not get ready in time.
        """
        self._running = [self._spawn(part) for part in self._parts]
        self._watcher.start()
        limit = time.monotonic() + START_SECONDS_MAX
        while not self._all_ready.wait(0.1):
            failed = next((each for each in self._running if each.failures > 2), None)  # noqa: PLR2004 - twice may be bad luck
            if failed is None and time.monotonic() < limit:
                continue
            late = next((e for e in self._running if e.part.name not in self._ready), failed)
            if late is None:
                continue
            self.stop()
            log = self._part_context.settings.data / LOG_FILE
            if failed is None:
                raise PartLateError(late.part.name, log)
            raise PartFailedError(failed.part.name, failed.why, log)

    def stop(self) -> None:
        """End the parts in their order, each before the next. May be called again."""
        self._stopping.set()
        # The watcher first, or it would start again what is being stopped.
        if self._watcher.is_alive():
            self._watcher.join()
        for running in self._running:
            if running.process.is_alive():
                running.process.terminate()
                running.process.join(STOP_SECONDS_MAX)
            if running.process.is_alive():
                LOGGER.error("%s does not end, killing it", running.part.name)
                running.process.kill()
                running.process.join()
            running.pipe.close()
        self._running = []

    def processes(self) -> dict[str, int]:
        """Return the process ids by part, for tests that kill them and for people."""
        return {each.part.name: each.process.pid or 0 for each in self._running}

    def _spawn(self, part: Part, *, failures: int = 0, why: str = "") -> _Running:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=run_part,
            args=(part, self._part_context, theirs, self._listeners.get(part.name)),
            name=part.name,
        )
        process.start()
        # Ours would keep the pipe open, and the end of the part would not be seen on it.
        theirs.close()
        started = time.monotonic()
        return _Running(
            part=part, process=process, pipe=ours, started=started, failures=failures, why=why
        )

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stopping.is_set():
            self._beat()
            handles = [e.process.sentinel for e in self._running if e.restart_at is None]
            wait([*handles, *(e.pipe for e in self._running if not e.pipe.closed)], timeout=0.2)
            for index, running in enumerate(self._running):
                self._running[index] = self._looked_after(running)
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                self._keep_database_running()

    def _looked_after(self, running: _Running) -> _Running:
        """Return *running* as it is now: told, dead and waiting, or started again."""
        self._listen(running)
        now = time.monotonic()
        if running.restart_at is None and not running.process.is_alive():
            failures = 1 if now - running.started > STEADY_SECONDS else running.failures + 1
            running.failures = failures
            pause = min(BACK_OFF_SECONDS * 2**failures, BACK_OFF_SECONDS_MAX)
            running.restart_at = now + pause
            code = running.process.exitcode
            LOGGER.warning("%s ended (%s), again in %.1f s", running.part.name, code, pause)
        if running.restart_at is not None and running.restart_at <= now:
            self._keep_database_running()
            running.pipe.close()
            self.restarted[running.part.name] += 1
            return self._spawn(running.part, failures=running.failures, why=running.why)
        return running

    def _listen(self, running: _Running) -> None:
        try:
            while not running.pipe.closed and running.pipe.poll():
                news = running.pipe.recv()
                if isinstance(news, Failure):
                    running.why = news.words
                    continue
                self._part_context = self._told(running.part.name, news)
                running.is_ready, running.why = True, ""
                self._ready.add(running.part.name)
        except EOFError:
            running.pipe.close()
        if len(self._ready) == len(self._parts):
            self._all_ready.set()

    def _keep_database_running(self) -> None:
        try:
            self._keep_database()
        except DeployError as error:
            LOGGER.error("%s", error)  # noqa: TRY400 - the message says it all

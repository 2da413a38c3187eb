"""A process of its own for looking at tariffs: whatever a text says, pages go on meanwhile.

One that takes longer than `SECONDS_MAX`, or more memory than `MEMORY_BYTES_MAX`, is given up, and
the next one gets a new process. What was found last is kept for who asks again.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from projections.console.tariffs.look import Asked, Looked, look
from tariffs.model.canonical import canonical_json

SECONDS_MAX: Final = 10.0
WAITING_MAX: Final = 4
"""So many wait for a turn; more would take the threads of all pages."""
MEMORY_BYTES_MAX: Final = 1 << 30
_KEPT_MAX: Final = 32
_NICER: Final = 5
_GIVEN_UP: Final = Looked(is_given_up=True)


class Looker:
    """Looks at tariffs, one after the other; safe in any thread."""

    def __init__(self, seconds_max: float = SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._turn, self._keeping = threading.Lock(), threading.Lock()
        self._waiting = threading.BoundedSemaphore(WAITING_MAX)
        self._kept: OrderedDict[bytes, Looked] = OrderedDict()
        self._process: SpawnProcess | None = None
        self._way: Connection | None = None

    def look(self, asked: Asked) -> Looked:
        """Return what a tariff looks like, or that it was given up; waits for its turn."""
        key = sha256(canonical_json(asked)).digest()
        with self._keeping:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        if not self._waiting.acquire(blocking=False):
            return _GIVEN_UP
        try:
            with self._turn:
                found = self._looked(asked)
        finally:
            self._waiting.release()
        if not found.is_given_up:
            with self._keeping:
                self._kept[key] = found
                while len(self._kept) > _KEPT_MAX:
                    self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _looked(self, asked: Asked) -> Looked:
        try:
            way = self._begun()
            way.send(asked)
            if way.poll(self._seconds_max):
                found: Looked = way.recv()
                return found
        except (EOFError, OSError):
            # It ended: the memory was too small for it.
            pass
        self._end()
        return _GIVEN_UP

    def _begun(self) -> Connection:
        if self._way is not None and self._process is not None and self._process.is_alive():
            return self._way
        self._end()
        # Not fork: a child would inherit the locks of our threads, and our connections.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), name="tariffs", daemon=True)
        process.start()
        theirs.close()
        # It says that it is there: what it loads does not count as looking.
        ours.recv()
        self._process, self._way = process, ours
        return ours

    def _end(self) -> None:
        if self._way is not None:
            self._way.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._way = None


DRAFTS: Final = Looker()
"""For texts that somebody writes."""
PUBLISHED: Final = Looker()
"""For versions: they never wait for a text."""


def _serve(way: Connection) -> None:
    """Be the process: answer until nobody is at the other end."""
    # Ctrl-C reaches the whole group: who started us decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    os.nice(_NICER)
    with suppress(EOFError, OSError):
        way.send(None)
        while True:
            asked: Asked = way.recv()
            try:
                found = look(asked)
            except (MemoryError, RecursionError):
                found = Looked(is_given_up=True)
            way.send(found)

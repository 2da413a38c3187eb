"""Ports that are free, one after the other: those that the kernel deals out lie elsewhere."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

COUNT = 10


def free_base() -> int:
    """Return a port that is free, as are the nine after it."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            with ExitStack() as held:
                for port in range(base, base + COUNT):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return base

"""The machine as a measure wants it: a core for the server alone, sockets for ten thousand."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_FILES: Final = 65_536


@contextmanager
def core_for_the_server() -> Iterator[int | None]:
    """Leave one core to the server, which it yields; None where there is but one.

    The stations that load it must not take its time.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        yield None
        return
    os.sched_setaffinity(0, set(cores[1:]))
    try:
        yield cores[0]
    finally:
        os.sched_setaffinity(0, set(cores))


@contextmanager
def many_sockets() -> Iterator[None]:
    """Let this process and those that it starts open as many sockets as the system lets them."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if limits[1] == resource.RLIM_INFINITY else limits[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

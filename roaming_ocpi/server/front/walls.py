"""Walls in front of modules: how large, how long, how often, how many at once.

What a partner does too much of, it waits for itself: each has a bucket and a lane of its own. Who
shows no token that is known is counted by address, before anything is looked up for him.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final, NamedTuple

from roaming_ocpi.server.calls import OcpiRefusedError
from roaming_ocpi.wire.status import Status

KEYS_MAX: Final = 10_000
"""Of buckets that are remembered: the one that was used longest ago makes room."""
_IPV6_PREFIX: Final = 64


class Walls(NamedTuple):
    """How much a request, a partner and a stranger may; rates are in requests a second."""

    target_bytes_max: int = 4 << 10
    head_bytes_max: int = 16 << 10
    body_bytes_max: int = 1 << 20
    body_bytes_free: int = 32 << 10
    """So much of a body costs nothing beside its request: objects of OCPI are smaller."""
    body_bytes_each: int = 4 << 10
    """What is more costs one request each: reading it takes so long, and others wait for it."""
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    partner_rate: float = 200.0
    partner_burst: float = 400.0
    stranger_rate: float = 5.0
    stranger_burst: float = 50.0
    lane_width: int = 6
    """Requests of one partner that are worked on at once; the database's pool has more."""
    lane_length: int = 200
    """Requests of one partner that wait for that."""


def body_cost(walls: Walls, size: int) -> float:
    """Return how many requests a body of *size* bytes costs beside its own."""
    return max(0, size - walls.body_bytes_free) / walls.body_bytes_each


class TooBusyError(OcpiRefusedError):
    """Somebody asks more than he may; `Retry-After` says when to come again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(
            message,
            status=Status.CLIENT_ERROR,
            http=HTTPStatus.TOO_MANY_REQUESTS,
            headers={"Retry-After": str(max(1, ceil(seconds)))},
        )


class Buckets:
    """A bucket of tokens for each key: `burst` at once, then `rate` a second."""

    def __init__(
        self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Take one from the bucket of *key*; return 0, or in how many seconds there is one."""
        wait, level, now = self._look(key)
        if wait <= 0:
            self._levels[key] = (level - 1, now)
            self._levels.move_to_end(key)
            if len(self._levels) > KEYS_MAX:
                self._levels.popitem(last=False)
        return wait

    def spend(self, key: Hashable, much: float) -> None:
        """Take *much* more for what is let in already; the bucket may owe it then."""
        _, level, now = self._look(key)
        self._levels[key] = (level - much, now)

    def debt_of(self, key: Hashable) -> float:
        """Return in how many seconds the bucket of *key* owes nothing; take none."""
        _, level, _ = self._look(key)
        return max(0.0, -level / self._rate)

    def wait_of(self, key: Hashable) -> float:
        """Return in how many seconds the bucket of *key* has one; take none."""
        return self._look(key)[0]

    def _look(self, key: Hashable) -> tuple[float, float, float]:
        now = self._clock()
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        return (0.0 if level >= 1 else (1 - level) / self._rate), level, now


class Lanes:
    """A lane for each partner: some of its requests are worked on, more of them wait in turn."""

    def __init__(self, width: int, length: int) -> None:
        self._width, self._length = width, length
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._inside: dict[str, int] = {}

    @asynccontextmanager
    async def enter(self, partner: str) -> AsyncIterator[None]:
        """Wait for a turn in the lane of *partner*.

        Raises:
            TooBusyError: If too many of its requests wait already.
        """
        inside = self._inside.get(partner, 0)
        if inside >= self._width + self._length:
            message = "too many of your requests are under way: wait for their answers"
            raise TooBusyError(message, 1)
        self._inside[partner] = inside + 1
        lane = self._lanes.setdefault(partner, asyncio.Semaphore(self._width))
        try:
            async with lane:
                yield
        finally:
            self._inside[partner] -= 1
            if not self._inside[partner]:
                del self._inside[partner], self._lanes[partner]


def neighbourhood(address: str) -> str:
    """Return what is counted as one stranger: an IPv4 address, or a network of IPv6 (/64)."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(int(found) >> _IPV6_PREFIX)
    return address

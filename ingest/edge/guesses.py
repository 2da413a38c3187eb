"""Who guesses is slowed down, and nobody else: turns at the expensive hash, and held refusals."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

FREE_FAILURES: Final = {"address": 50, "identity": 5}
"""Failures before refusals are held longer. Many stations may share an address."""
HOLD_MIN_SECONDS: Final = 0.5
"""Longer than a check takes, so that how long one took tells nothing."""
HOLD_MAX_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 300.0
"""After so long without a failure one starts afresh."""
_DOUBLINGS_MAX: Final = 16


class Failures:
    """Counts failures by address and identity; beyond the free ones each doubles the hold.

    Only who is refused is held: whoever has the right key waits for no one's guesses.
    """

    def __init__(self, monotonic: Callable[[], float], *, names_max: int = 10_000) -> None:
        self._monotonic, self._names_max = monotonic, names_max
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def add(self, address: str, identity: str) -> float:
        """Count a failure; return for how many seconds its refusal is to be held, at least."""
        now = self._monotonic()
        hold = HOLD_MIN_SECONDS
        for name in (("address", address), ("identity", identity)):
            count, last = self._counts.pop(name, (0, now))
            count = 1 if now - last > QUIET_SECONDS else count + 1
            self._counts[name] = (count, now)
            if len(self._counts) > self._names_max:
                self._counts.popitem(last=False)
            doublings = min(max(count - FREE_FAILURES[name[0]], 0), _DOUBLINGS_MAX)
            hold = max(hold, min(HOLD_MAX_SECONDS, HOLD_MIN_SECONDS * 2.0**doublings))
        return hold

    def forgive(self, identity: str) -> None:
        """Forget the failures of an identity that proved itself; its address stays counted."""
        self._counts.pop(("identity", identity), None)


Waiting = asyncio.Future[None]


class FairTurns:
    """A few at a time, in turn between addresses, and within an address between identities.

    So a thousand who wait for one identity take no more turns than one who waits for another. Of
    those who wait for the same identity from the same address the newest comes first: that is who
    is least likely to have given up.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: OrderedDict[str, OrderedDict[str, dict[Waiting, None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, address: str, identity: str) -> AsyncIterator[None]:
        """Wait for a turn and have it while the context lasts."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(address, identity)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, address: str, identity: str) -> None:
        waiting: Waiting = asyncio.get_running_loop().create_future()
        identities = self._waiting.setdefault(address, OrderedDict())
        identities.setdefault(identity, {})[waiting] = None
        try:
            await waiting
        except asyncio.CancelledError:
            # It may have been given the turn in the same moment.
            if waiting.done() and not waiting.cancelled():
                self._pass_on()
            else:
                self._take_out(address, identity, waiting)
            raise

    def _pass_on(self) -> None:
        """Give the turn to the newest of the identity that is next at the address that is next."""
        while self._waiting:
            address = next(iter(self._waiting))
            identity = next(iter(self._waiting[address]))
            waiting = next(reversed(self._waiting[address][identity]))
            self._take_out(address, identity, waiting)
            # Who was cancelled and did not run since still stands here.
            if not waiting.done():
                self._go_round(address, identity)
                waiting.set_result(None)
                return
        self._free += 1

    def _go_round(self, address: str, identity: str) -> None:
        """Put who just had the turn behind the others."""
        if address in self._waiting:
            self._waiting.move_to_end(address)
            if identity in self._waiting[address]:
                self._waiting[address].move_to_end(identity)

    def _take_out(self, address: str, identity: str, waiting: Waiting) -> None:
        identities = self._waiting.get(address, OrderedDict())
        if identity not in identities:
            return
        identities[identity].pop(waiting, None)
        if not identities[identity]:
            del identities[identity]
        if not identities:
            del self._waiting[address]

"""Who is let in: right keys always and at once where that is known, guesses slowly.

Nobody is refused before the check, so nobody can lock a station out. What is bounded is the work:

    a random key                 -> a keyed hash, right or wrong, without waiting
    a key that was right before  -> a digest, remembered over restarts, without waiting
    a weak key never seen        -> scrypt, a few at a time, in turn (`FairTurns`)
    what is wrong by then        -> scrypt over a decoy, so that it costs what the line above does,
                                    unless so many wait for that that time alone must hide it

What is wrong is told after a hold that doubles with the failures of its identity and its address.
Tests: tests/ingest/edge/test_gate.py.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
from collections.abc import Callable
from typing import Final

from ingest.directory import StationAccess
from ingest.edge.guesses import Failures, FairTurns
from ingest.edge.known_keys import KnownKeys
from ingest.edge.security import Credentials
from ledger.declared.identities import canonical
from ledger.declared.passwords import hash_password, is_quick, password_matches

AT_ONCE: Final = min(4, os.cpu_count() or 1)
DECOYS_WAITING_MAX: Final = 16


class Gate:
    """Checks credentials, remembers the right ones and slows down the wrong ones."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        known: KnownKeys,
        *,
        matches: Callable[[bytes, str], bool] = password_matches,
    ) -> None:
        self._known, self._matches = known, matches
        self._failures = Failures(monotonic)
        self._turns = FairTurns(AT_ONCE)
        self._decoy = hash_password(f"decoy {secrets.token_hex(16)}")
        self._decoy_turn = asyncio.Lock()
        self._decoys_waiting = 0

    async def hold_of(
        self, station: StationAccess | None, credentials: Credentials, *, address: str
    ) -> float | None:
        """Return None if *credentials* are those of *station*, else how long to hold the refusal.

        In seconds from when they came. An unknown station (None) costs what a wrong password does,
        so that answers do not tell which identities exist.
        """
        identity, key = canonical(credentials.identity), credentials.key
        address = network_of(address)
        if station is not None and self.right_at_once(station, credentials) is not None:
            self._failures.forgive(identity)
            return None
        undecided = [
            each
            for each in (station.password_hashes if station is not None else ())
            if not is_quick(each) and self._known.is_known(identity, key, each) is None
        ]
        if not undecided:
            await self._burn(key)
            return self._failures.add(address, identity)
        async with self._turns.turn(address, identity):
            right = await asyncio.to_thread(self._matching, key, undecided)
        if right is None:
            return self._failures.add(address, identity)
        self._failures.forgive(identity)
        self._known.remember(identity, key, right)
        return None

    def right_at_once(self, station: StationAccess, credentials: Credentials) -> str | None:
        """Return which of a station's passwords *credentials* have, as far as that is known."""
        identity, key = canonical(credentials.identity), credentials.key
        for each in station.password_hashes:
            known = self._known.is_known(identity, key, each)
            if known or (known is None and is_quick(each) and self._matches(key, each)):
                return each
        return None

    def _matching(self, key: bytes, hashes: list[str]) -> str | None:
        return next((each for each in hashes if self._matches(key, each)), None)

    async def _burn(self, key: bytes) -> None:
        """Do for what is wrong already what is done for what is not known yet."""
        if self._decoys_waiting >= DECOYS_WAITING_MAX:
            return
        self._decoys_waiting += 1
        try:
            async with self._decoy_turn:
                await asyncio.to_thread(self._matches, key, self._decoy)
        finally:
            self._decoys_waiting -= 1


def network_of(address: str) -> str:
    """Return whose *address* it is: of IPv6 somebody has a whole network."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(known, ipaddress.IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(known) >> 64 << 64))

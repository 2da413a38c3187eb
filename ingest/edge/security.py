"""Who a station is: HTTP Basic against salted hashes, slowed down for those who guess.

Keys of stations are random, at least 16 bytes, and so need no expensive hash; scrypt at a low cost
keeps those safe that were chosen badly. A key that was right is remembered (keyed digest, in memory
only), so that 10,000 stations that reconnect cost 10,000 digests and no scrypt.

Source: OCPP 1.6 security whitepaper edition 2, 2.3; OCPP 2.0.1 part 2, A00.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from ingest.directory import StationAccess
from ingest.errors import IngestError
from ledger.declared.identities import canonical
from ledger.declared.passwords import hash_password, key_bytes, password_matches

_SCRYPT_AT_ONCE: Final = 4
_WAITING_MAX: Final = 512
_VERIFIED_MAX: Final = 100_000

FREE_FAILURES: Final = {"address": 50, "identity": 5}
"""Failures before a wait. Many stations may share an address, behind one balancer."""
WAIT_MAX_SECONDS: Final = 300.0


class Credentials(NamedTuple):
    """What a station presented; the key is binary."""

    identity: str
    key: bytes


def basic_credentials(header: str) -> Credentials | None:
    """Return what an Authorization *header* holds, or None if it is not HTTP Basic."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, key = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Credentials(name.decode(), key) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a server context of TLS 1.2 or newer for PEM files (OCPP security profile 2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Gate:
    """Checks credentials, remembers the right ones and slows down the wrong ones."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        matches: Callable[[bytes, str], bool] = password_matches,
    ) -> None:
        self._matches = matches
        self._pepper = secrets.token_bytes(32)
        self._verified: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._failures = Failures(monotonic)
        self._scrypt_slots = asyncio.Semaphore(_SCRYPT_AT_ONCE)
        self._waiting = 0
        self._decoy = hash_password(secrets.token_bytes(20))

    async def admits(
        self, station: StationAccess | None, credentials: Credentials, *, address: str
    ) -> bool:
        """Say whether *credentials* are those of *station*.

        An unknown station (None) takes as long as a wrong password, so that answers do not tell
        which identities exist.

        Raises:
            TooManyFailuresError: If *address* or the identity failed too often just now. A
                station whose key is known to be right is never held up by somebody who guesses.
            TooManyWaitingError: If so many are being checked that this one would wait too long.
        """
        identity = canonical(credentials.identity)
        if station is not None and self._is_known(station, identity, credentials.key):
            return True
        if self._waiting >= _WAITING_MAX:
            raise TooManyWaitingError
        hashes = station.password_hashes if station is not None else (self._decoy,)
        self._waiting += 1
        try:
            async with self._scrypt_slots:
                # In turn, so that guesses made at the same time count one after the other.
                self._failures.check(address, identity)
                matching = await asyncio.to_thread(self._matching, credentials.key, hashes)
        finally:
            self._waiting -= 1
        if station is None or matching is None:
            self._failures.add(address, identity)
            return False
        self._failures.forget(identity)
        self._verified[identity] = (matching, self._digest(credentials.key))
        self._verified.move_to_end(identity)
        if len(self._verified) > _VERIFIED_MAX:
            self._verified.popitem(last=False)
        return True

    def _is_known(self, station: StationAccess, identity: str, key: bytes) -> bool:
        """Say whether *key* was found right before, for a hash that still holds."""
        password_hash, digest = self._verified.get(identity, ("", b""))
        same = hmac.compare_digest(digest, self._digest(key))
        return same and password_hash in station.password_hashes

    def _matching(self, key: bytes, hashes: tuple[str, ...]) -> str | None:
        return next((each for each in hashes if self._matches(key, each)), None)

    def _digest(self, key: bytes) -> bytes:
        return hashlib.blake2b(key_bytes(key), key=self._pepper, digest_size=32).digest()


class TooManyFailuresError(IngestError):
    """An address or an identity has to wait `seconds` before it may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failures; try again in {seconds:.0f} s")
        self.seconds = seconds


class TooManyWaitingError(IngestError):
    """So many credentials are being checked that one more would time out."""

    def __init__(self) -> None:
        super().__init__("too many credentials are being checked")


class Failures:
    """Counts failures by address and identity; beyond the free ones each doubles the wait."""

    def __init__(self, monotonic: Callable[[], float], *, names_max: int = 10_000) -> None:
        self._monotonic, self._names_max = monotonic, names_max
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, address: str, identity: str) -> None:
        """Let pass, or raise TooManyFailuresError."""
        now = self._monotonic()
        for name in (("address", address), ("identity", identity)):
            count, until = self._counts.get(name, (0, now))
            if count > FREE_FAILURES[name[0]] and until > now:
                raise TooManyFailuresError(until - now)

    def add(self, address: str, identity: str) -> None:
        """Count a failure. Whoever stayed quiet for the longest wait starts afresh."""
        now = self._monotonic()
        for name in (("address", address), ("identity", identity)):
            count, until = self._counts.pop(name, (0, now))
            count = 1 if now - until > WAIT_MAX_SECONDS else count + 1
            wait = min(WAIT_MAX_SECONDS, 2.0 ** min(count - FREE_FAILURES[name[0]], 16))
            self._counts[name] = (count, now + wait)
            if len(self._counts) > self._names_max:
                self._counts.popitem(last=False)

    def forget(self, identity: str) -> None:
        """Forgive an identity that proved itself; its address stays counted."""
        self._counts.pop(("identity", identity), None)

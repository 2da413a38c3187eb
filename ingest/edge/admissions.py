"""Who was let in with which key and who was refused, and why: gathered, then written together.

Nothing here is written for one attempt: who knocks a thousand times a second costs a row a second.
On the wire refusals look alike; the reasons are for the operator (`wattledger station refused`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, LiteralString, NamedTuple, Protocol

import psycopg

from ingest.clock import Clock
from ingest.edge.known_keys import REMEMBERED_MAX, KnownKeys, Proof
from ingest.gathering import Connect, Gatherer

SAVE_SECONDS: Final = 1.0
PENDING_MAX: Final = 1_000
"""Different refusals kept until they are written; further ones count under no name."""
KEPT_MAX: Final = 1_000
"""Different refusals that the table keeps of a reason: of strangers none pushes out a station."""
LOGGED_MAX: Final = 10
"""Lines in the log each time."""
TEXT_MAX: Final = 64
_LOGGER = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why a connection is refused."""

    MISSING_HEADER = "missing_header"
    NO_IDENTITY = "no_identity"
    PATH_PREFIX = "path_prefix"
    USER_NAME = "user_name"
    UNKNOWN_IDENTITY = "unknown_identity"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, no secret
    SUBPROTOCOL = "subprotocol"
    LOCK_OUT = "lock_out"
    UNAVAILABLE = "unavailable"


SAID: Final[Mapping[Reason, str]] = {
    Reason.MISSING_HEADER: "it sent no Authorization header of HTTP Basic",
    Reason.NO_IDENTITY: "its path ends with no identity",
    Reason.PATH_PREFIX: "its identity does not stand at the end of its path",
    Reason.USER_NAME: "its user name is not the identity in its path",
    Reason.UNKNOWN_IDENTITY: "no station of that identity is declared with a password",
    Reason.WRONG_PASSWORD: "its password is wrong",
    Reason.SUBPROTOCOL: "it offered no subprotocol that is spoken here",
    Reason.LOCK_OUT: "too many passwords waited to be checked",
    Reason.UNAVAILABLE: "the database did not answer",
}


class Refused(NamedTuple):
    """Who was refused, as far as it said, and why; safe to print."""

    reason: Reason
    identity: str
    address: str


class Times(NamedTuple):
    """How often, and from when to when."""

    first_at: datetime
    last_at: datetime
    times: int

    def and_then(self, later: Times) -> Times:
        """Return both together."""
        return Times(self.first_at, later.last_at, self.times + later.times)


class AdmissionStore(Protocol):
    """Keeps proofs of right keys and refusals over restarts."""

    async def proofs(self, keyed_by: str) -> Mapping[str, Proof]:
        """Return the proofs that were made with that secret, by identity."""

    async def save(
        self, keyed_by: str, proofs: Mapping[str, Proof], refused: Mapping[Refused, Times]
    ) -> None:
        """Add to what is kept."""


class Admissions:
    """What a server gathers until its next `save`."""

    def __init__(self, store: AdmissionStore, known: KnownKeys, clock: Clock) -> None:
        self._store, self.known, self._clock = store, known, clock
        self._pending: dict[Refused, Times] = {}
        self.counts: Counter[Reason] = Counter()
        """Refusals since the start."""

    async def load(self) -> None:
        """Begin with what was right before."""
        self.known.load(await self._store.proofs(self.known.keyed_by))

    def refuse(self, reason: Reason, identity: str, address: str) -> None:
        """Note that somebody was refused."""
        now = self._clock.now()
        refused = Refused(reason, _printable(identity), _printable(address))
        if refused not in self._pending and len(self._pending) >= PENDING_MAX:
            refused = Refused(reason, "", "")
        self.counts[reason] += 1
        self._add(refused, Times(now, now, 1))

    async def save(self) -> None:
        """Write what was gathered to the store and the log; what fails is tried the next time."""
        proofs, refused = dict(self.known.unsaved), self._pending
        if not proofs and not refused:
            return
        self._pending = {}
        try:
            await self._store.save(self.known.keyed_by, proofs, refused)
        except psycopg.Error as error:
            _LOGGER.warning("what was let in and refused is not stored yet: %s", error)
            later, self._pending = self._pending, refused
            for each, times in later.items():
                self._add(each, times)
            return
        for identity, proof in proofs.items():
            if self.known.unsaved.get(identity) is proof:
                del self.known.unsaved[identity]
        _log(refused)

    def _add(self, refused: Refused, times: Times) -> None:
        before = self._pending.get(refused)
        self._pending[refused] = times if before is None else before.and_then(times)


def _log(refused: Mapping[Refused, Times]) -> None:
    named = sorted(refused, key=lambda each: refused[each].times, reverse=True)
    for each in named[:LOGGED_MAX]:
        count, why = refused[each].times, SAID[each.reason]
        times = "" if count == 1 else f", {count} times"
        _LOGGER.warning("refused %r from %s: %s%s", each.identity, each.address, why, times)
    if rest := named[LOGGED_MAX:]:
        times = str(sum(refused[each].times for each in rest))
        _LOGGER.warning("refused %s more connections of %s others", times, len(rest))


def _printable(text: str) -> str:
    """Return what a stranger wrote so that it can be printed: short, and without control."""
    short = text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 3] + "..."
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in short
    )


_PROOFS: LiteralString = """
SELECT identity, declared, digest FROM credential_seen
WHERE keyed_by = %s ORDER BY seen_at DESC LIMIT %s
"""
_PROVE: LiteralString = """
INSERT INTO credential_seen (identity, keyed_by, declared, digest)
SELECT identity, %s, declared, digest
FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS seen (identity, declared, digest)
ON CONFLICT (identity, keyed_by) DO UPDATE
SET declared = excluded.declared, digest = excluded.digest, seen_at = now()
"""
_REFUSE: LiteralString = """
INSERT INTO refused_connection (reason, identity, address, first_at, last_at, times)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
ON CONFLICT (reason, identity, address) DO UPDATE
SET last_at = excluded.last_at, times = refused_connection.times + excluded.times
"""
_COUNT: LiteralString = """
INSERT INTO refusal_count (reason, times) SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (reason) DO UPDATE SET times = refusal_count.times + excluded.times
"""
_FORGET: LiteralString = """
DELETE FROM refused_connection WHERE reason = %s AND (identity, address) IN (
    SELECT identity, address FROM refused_connection WHERE reason = %s
    ORDER BY last_at DESC, identity, address OFFSET %s)
"""
Batch = tuple[str, Mapping[str, Proof], Mapping[Refused, Times]]


class PostgresAdmissions:
    """Proofs and refusals in tables that are bounded."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        # Without patience: what fails is kept by `Admissions`.
        self._gatherer: Gatherer[Batch, None] = Gatherer(connect, _save, patience_seconds=0)

    async def proofs(self, keyed_by: str) -> Mapping[str, Proof]:
        """Return the proofs that were made with that secret, by identity."""
        async with await self._connect() as connection:
            rows = await (await connection.execute(_PROOFS, (keyed_by, REMEMBERED_MAX))).fetchall()
        # Those used longest ago go first (`KnownKeys`).
        return {identity: Proof(*proof) for identity, *proof in reversed(rows)}

    async def save(
        self, keyed_by: str, proofs: Mapping[str, Proof], refused: Mapping[Refused, Times]
    ) -> None:
        """Add to what is kept."""
        await self._gatherer.ask((keyed_by, proofs, refused))

    async def close(self) -> None:
        """Close the connection."""
        await self._gatherer.close()


async def _save(connection: psycopg.AsyncConnection, batches: Sequence[Batch]) -> Sequence[None]:
    for keyed_by, proofs, refused in batches:
        if proofs:
            rows = sorted((identity, *proof) for identity, proof in proofs.items())
            await connection.execute(_PROVE, [keyed_by, *map(list, zip(*rows, strict=True))])
        if refused:
            # Sorted, so that two processes lock the rows in the same order.
            told = sorted((*each, *times) for each, times in refused.items())
            await connection.execute(_REFUSE, [list(each) for each in zip(*told, strict=True)])
            counts: Counter[str] = Counter()
            for each, times in refused.items():
                counts[each.reason] += times.times
            reasons = sorted(counts)
            await connection.execute(_COUNT, (reasons, [counts[each] for each in reasons]))
            for reason in reasons:
                await connection.execute(_FORGET, (reason, reason, KEPT_MAX))
    return [None] * len(batches)

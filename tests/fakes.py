"""Fakes that implement the ports; tests use them where the real part is not the point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ingest.commands.command import ClaimedCommand, MessageLimits
from ingest.commands.store import Finished
from ingest.directory import (
    NO_PRICES,
    AuthorizationStatus,
    PriceTerms,
    Showing,
    StationAccess,
    TokenAccess,
)
from ingest.edge.admissions import Refused, Times
from ingest.edge.connection_epochs import Overtake
from ingest.edge.known_keys import Proof
from ledger.declared.declarations import TariffInForce
from ledger.declared.identities import canonical
from ledger.declared.passwords import hash_password
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.envelope import LogLine, decode_lines
from ledger.log.event_log import Position
from ledger.master_data.policies import Policy

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class FixedClock:
    """A clock that moves only when told; sleeping yields and moves it."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.moment += timedelta(seconds=seconds)


@dataclass
class MemoryLog:
    """Takes lines, each as a record. `gate`, when given, holds appends back until it is set."""

    partitions: int = 4
    gate: asyncio.Event | None = None
    failure: Exception | None = None
    records: dict[int, list[bytes]] = field(default_factory=dict)
    waiting: int = 0

    async def append(self, partition: int, line: bytes) -> Position:
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
            self.waiting -= 1
        kept = self.records.setdefault(partition, [])
        kept.append(line)
        return Position(partition, len(kept) - 1, 0)

    async def close(self) -> None:
        """There is nothing to close."""

    def lines(self) -> list[LogLine]:
        """Return all lines, partition after partition."""
        return [
            line
            for partition in sorted(self.records)
            for payload in self.records[partition]
            for line in decode_lines(payload)
        ]


@dataclass
class MemoryIds:
    """Transaction ids that live as long as the test."""

    given: dict[tuple[str, str], int] = field(default_factory=dict)

    async def assign(self, station_id: str, content_key: str) -> int:
        return self.given.setdefault((station_id, content_key), 1001 + len(self.given))


class NoCommands:
    """Nobody asks for calls to stations."""

    async def claim(self, _station_id: str, _epoch: int) -> ClaimedCommand | None:
        return None

    async def finish(self, finished: Finished) -> None:
        raise AssertionError(finished)

    async def take_over(self, _station_id: str, _epoch: int) -> None:
        return None

    async def remember_limits(self, station_id: str, action: str, limits: MessageLimits) -> None:
        raise AssertionError(station_id, action, limits)

    async def follow(self, _hear: Callable[[str | None], None]) -> None:
        await asyncio.Event().wait()


@dataclass
class MemoryEpochs:
    """Connection numbers that live as long as the test."""

    given: dict[str, int] = field(default_factory=dict)

    async def advance(self, station_id: str, protocol: str) -> int:
        assert protocol
        self.given[station_id] = self.given.get(station_id, 0) + 1
        return self.given[station_id]

    async def leave(self, station_id: str, epoch: int) -> None:
        assert epoch <= self.given[station_id]

    async def newest(self, stations: Iterable[str]) -> Mapping[str, int]:
        return {station_id: self.given[station_id] for station_id in stations}

    async def follow(self, overtake: Overtake) -> None:
        """There is no other process."""


@dataclass
class MemoryAdmissions:
    """Proofs and refusals that live as long as the test."""

    kept: dict[str, Proof] = field(default_factory=dict)
    refused: dict[Refused, Times] = field(default_factory=dict)

    async def proofs(self, keyed_by: str) -> Mapping[str, Proof]:
        assert keyed_by
        return self.kept

    async def save(
        self, keyed_by: str, proofs: Mapping[str, Proof], refused: Mapping[Refused, Times]
    ) -> None:
        assert keyed_by
        self.kept.update(proofs)
        for each, times in refused.items():
            before = self.refused.get(each)
            self.refused[each] = times if before is None else before.and_then(times)


@dataclass
class FixedDirectory:
    """Stations with their passwords in clear, tokens, and the policy for unknown tokens."""

    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, TokenAccess] = field(default_factory=dict)
    policy: AuthorizationStatus = AuthorizationStatus.INVALID
    tariffs: dict[str | None, TariffInForce] = field(default_factory=dict)
    declared_policy: Policy = field(default_factory=Policy)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    token_habits: TokenHabits = NO_HABITS
    terms: PriceTerms = NO_PRICES
    funded: set[str] = field(default_factory=set)

    async def is_funded(
        self, station_id: str, transaction_ref: str, subject_id: str | None = None
    ) -> bool:
        assert station_id
        return not self.funded.isdisjoint({transaction_ref, subject_id})

    async def station(self, identity: str) -> StationAccess | None:
        for station_id, password in self.passwords.items():
            if canonical(station_id) == identity:
                if station_id not in self.hashes:
                    self.hashes[station_id] = hash_password(password)
                return StationAccess(
                    station_id=station_id,
                    password_hashes=(self.hashes[station_id],),
                    token_habits=self.token_habits,
                )
        return None

    async def token(self, subject_id: str, showing: Showing | None = None) -> TokenAccess | None:
        del showing
        return self.tokens.get(subject_id)

    async def unknown_token(
        self, station_id: str, subject_id: str, *, seen_at: datetime
    ) -> AuthorizationStatus:
        assert seen_at.tzinfo is UTC
        self.unknown.append((station_id, subject_id))
        return self.policy

    async def price_terms(self, station_id: str) -> PriceTerms:
        assert station_id
        return self.terms

    async def tariff_in_force(
        self, _station_id: str, subject_id: str | None, *, partner: str | None = None
    ) -> TariffInForce | None:
        assert partner is None or partner
        return self.tariffs.get(subject_id)

    async def policy_in_force(self) -> Policy:
        return self.declared_policy

"""Kills under load over Kafka, how long each was felt, and what was found in the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from ledger.worker.position import has_caught_up
from projections.balances.energy import energy_balance
from tests.faults.books_check import (
    assert_money_is_counted_once,
    is_invoiced,
    lost,
    sessions_in_the_books,
)
from tests.faults.load_station import LoadStation, progress, stations, under_load
from tests.faults.over_kafka.many_processes import ManyProcesses
from tests.faults.running_system import wait_until

FLEET: Final = 12
ANSWERS: Final = 12
"""So many more answers show that stations are served again."""
KINDS: Final = (
    "stations",
    "worker",
    "leader",
    "controller",
    "postgres",
    "invoicing",
    "slow",
    "storm",
    "away",
)
SETTLED_SECONDS_MAX: Final = 180.0


@dataclass(slots=True)
class Outcome:
    """What a run of kills did, and what it cost. Seconds are by kind, the longest of each."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    rated_twice: int = 0
    billed_twice: int = 0
    energy_difference_wh: Decimal = Decimal(0)
    answered_s: dict[str, float] = field(default_factory=dict)
    recovery_s: dict[str, float] = field(default_factory=dict)


def order_of(kinds: Sequence[str], count: int, *, seed: int) -> list[str]:
    """Return *count* kinds in random order, each about as often."""
    chance = random.Random(seed)
    order: list[str] = []
    while len(order) < count:
        order += chance.sample(list(kinds), len(kinds))
    return order[:count]


async def kill_over_kafka(
    system: ManyProcesses,
    order: Sequence[str],
    *,
    seed: int,
    told: Callable[[], None] = lambda: None,
) -> tuple[list[LoadStation], Outcome]:
    """Kill what *order* names, each once the system has got over the last; return who charged.

    *told* is called after each.
    """
    chance = random.Random(seed)
    outcome = Outcome()
    fleet = stations(FLEET, lambda: system.url)
    async with under_load(fleet):
        await progress(fleet)
        for kind in order:
            await asyncio.sleep(chance.uniform(0, 1))
            ends = await asyncio.to_thread(_ends, system)
            began = time.monotonic()
            await asyncio.to_thread(system.kill, kind)
            await progress(fleet, ANSWERS)
            answered = time.monotonic() - began
            await asyncio.to_thread(_await_decided, system, ends)
            recovered = time.monotonic() - began
            outcome.kills[kind] = outcome.kills.get(kind, 0) + 1
            outcome.answered_s[kind] = max(outcome.answered_s.get(kind, 0), round(answered, 2))
            outcome.recovery_s[kind] = max(outcome.recovery_s.get(kind, 0), round(recovered, 2))
            await asyncio.to_thread(system.mend)
            told()
    return fleet, outcome


def settle(system: ManyProcesses, fleet: Sequence[LoadStation], outcome: Outcome) -> Outcome:
    """Wait until all is worked off and invoiced; count what was lost or done twice.

    Raises:
        AssertionError: If the books do not agree with what stations know, or with themselves.
    """
    acknowledged = [each for station in fleet for each in station.acknowledged]
    charged = Counter(each for station in fleet for each in station.charged)
    with system.connection() as connection, system.log() as log:
        for is_so, what in (
            (lambda: has_caught_up(connection, log.ends()), "the log is worked off"),
            (lambda: is_invoiced(connection), "everything is invoiced"),
        ):
            wait_until(is_so, what, SETTLED_SECONDS_MAX)
        outcome.acknowledged = len(acknowledged)
        outcome.lost = len(lost(acknowledged, connection, log))
        found = sessions_in_the_books(connection)
        outcome.rated_twice = sum((found - charged).values())
        billed = "SELECT count(*) - count(DISTINCT session_id) FROM invoiced_session"
        [(outcome.billed_twice,)] = connection.execute(billed.encode()).fetchall()
        told = sum(each.energy_wh for each in charged.elements())
        billed_wh = energy_balance(connection).total
        outcome.energy_difference_wh = abs(billed_wh.billed_wh - told) + abs(
            billed_wh.difference_wh
        )
        assert outcome.lost == 0
        assert found == charged
        assert_money_is_counted_once(connection)
    return outcome


def _ends(system: ManyProcesses) -> list[int]:
    with system.log() as log:
        return log.ends()


def _await_decided(system: ManyProcesses, ends: Sequence[int]) -> None:
    def is_decided() -> bool:
        try:
            with system.connection() as connection:
                return has_caught_up(connection, ends)
        except Exception:  # noqa: BLE001 - the database may be what was killed
            return False

    wait_until(is_decided, "what was logged before the kill is decided", SETTLED_SECONDS_MAX)

"""Harm under load over Kafka, how long each was felt, and what was found in the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from ledger.invoices.issuer import InvoiceIssuer
from ledger.worker.position import has_caught_up
from projections.balances.energy import energy_balance
from tests.faults.books_check import (
    assert_money_is_counted_once,
    is_invoiced,
    lost,
    sessions_in_the_books,
)
from tests.faults.load_station import (
    Exchange,
    LoadStation,
    identities,
    progress,
    stations,
    under_load,
)
from tests.faults.over_kafka.harm import OF_ROOM, Harm
from tests.faults.over_kafka.many_processes import ManyProcesses
from tests.faults.over_kafka.odd_station import OddStation
from tests.faults.running_system import wait_until

FLEET: Final = 12
DECLARED: Final = FLEET + 1
"""The last one is odd."""
ANSWERS: Final = 12
"""So many more answers show that stations are served again."""
ANSWERED_SECONDS_MAX: Final = 90.0
SETTLED_SECONDS_MAX: Final = 240.0
TELLING_SECONDS: Final = 3.0
INVOICED_SECONDS_MAX: Final = 1800.0
"""At the end of a long run on a busy machine thousands of invoices may be left to issue."""


@dataclass(slots=True)
class Figures:
    """What the stations know, and how far the books differ from that."""

    acknowledged: int = 0
    lost: int = 0
    rated_twice: int = 0
    billed_twice: int = 0
    energy_difference_wh: Decimal = Decimal(0)


@dataclass(slots=True)
class Outcome(Figures):
    """What a run did, and what it cost. Seconds are by kind, the longest of each."""

    kills: dict[str, int] = field(default_factory=dict)
    answered_s: dict[str, float] = field(default_factory=dict)
    recovery_s: dict[str, float] = field(default_factory=dict)
    set_aside: int = 0


@dataclass(slots=True)
class Witnesses:
    """Who knows what must be in the books: the stations, and who wrote nonsense beside them."""

    fleet: Sequence[LoadStation]
    odd: OddStation | None = None
    unreadable: int = 0

    @property
    def acknowledged(self) -> list[Exchange]:
        """All that was answered."""
        odd = [] if self.odd is None else self.odd.acknowledged
        return [each for station in self.fleet for each in station.acknowledged] + odd


def order_of(kinds: Sequence[str], count: int, *, seed: int) -> list[str]:
    """Return *count* kinds in random order, each about as often."""
    chance = random.Random(seed)
    order: list[str] = []
    while len(order) < count:
        order += chance.sample(list(kinds), len(kinds))
    return order[:count]


async def harm_over_kafka(
    system: ManyProcesses,
    order: Iterable[str],
    outcome: Outcome,
    *,
    seed: int,
    told: Callable[[str], None] = lambda _kind: None,
) -> Witnesses:
    """Do what *order* names, each once the system has got over the last; return who knows.

    *outcome* notes how long each was felt, *told* is called with the kind before each.
    """
    chance = random.Random(seed)
    harm = Harm(system, chance)
    fleet = stations(FLEET, lambda: system.url)
    odd = OddStation(identities(DECLARED)[-1], lambda: system.url)
    async with under_load([*fleet, odd]):
        await progress(fleet)
        for kind in order:
            told(kind)
            await asyncio.sleep(chance.uniform(0, 1))
            ends = await asyncio.to_thread(ends_of, system)
            began = await asyncio.to_thread(harm.do, kind)
            await progress(fleet, ANSWERS, seconds_max=ANSWERED_SECONDS_MAX)
            answered = time.monotonic() - began
            if kind in OF_ROOM:  # it took long: what came meanwhile is to be decided too
                ends = await asyncio.to_thread(ends_of, system)
            await asyncio.to_thread(await_decided, system, ends)
            recovered = time.monotonic() - began
            outcome.kills[kind] = outcome.kills.get(kind, 0) + 1
            outcome.answered_s[kind] = max(outcome.answered_s.get(kind, 0), round(answered, 2))
            outcome.recovery_s[kind] = max(outcome.recovery_s.get(kind, 0), round(recovered, 2))
            await asyncio.to_thread(harm.mend)
    return Witnesses(fleet, odd, harm.unreadable)


def settle(system: ManyProcesses, witnesses: Witnesses, outcome: Outcome) -> None:
    """Wait until all is worked off and invoiced; count what was lost or done twice.

    Raises:
        AssertionError: If the books do not agree with what stations know, or with themselves.
    """
    await_decided(system, ends_of(system))
    with system.connection() as connection:
        wait_until(lambda: is_invoiced(connection), "everything is invoiced", INVOICED_SECONDS_MAX)
        measure(system, witnesses, outcome)
        aside = "SELECT count(*) FROM line_set_aside WHERE reason = 'line_unreadable'"
        [(outcome.set_aside,)] = connection.execute(aside.encode()).fetchall()
        others = "SELECT * FROM line_set_aside WHERE reason <> 'line_unreadable'"
        assert connection.execute(others.encode()).fetchall() == []
        assert outcome.set_aside == witnesses.unreadable
        assert outcome.lost == 0
        charged = Counter(each for station in witnesses.fleet for each in station.charged)
        assert sessions_in_the_books(connection) == charged
        assert (outcome.rated_twice, outcome.billed_twice) == (0, 0)
        assert outcome.energy_difference_wh == 0
        assert_money_is_counted_once(connection)


def measure(system: ManyProcesses, witnesses: Witnesses, figures: Figures) -> None:
    """Count, by what the stations know, what is lost in *system* or there twice."""
    charged = Counter(each for station in witnesses.fleet for each in station.charged)
    with system.connection() as connection, system.log() as log:
        figures.acknowledged = len(witnesses.acknowledged)
        figures.lost = len(lost(witnesses.acknowledged, connection, log))
        found = sessions_in_the_books(connection)
        again = (
            "SELECT count(*) - count(DISTINCT session_id) FROM session_decision"
            " WHERE kind IN ('rated', 'released')"
        )
        [(rated_again,)] = connection.execute(again.encode()).fetchall()
        strange = Counter(each[:2] for each in found.elements())
        strange -= Counter(each[:2] for each in charged.elements())
        figures.rated_twice = rated_again + strange.total()
        told = sum(each.energy_wh for each in charged.elements())
        billed_wh = energy_balance(connection).total
        figures.energy_difference_wh = abs(billed_wh.billed_wh - told) + abs(
            billed_wh.difference_wh
        )
    figures.billed_twice = _billed_twice(system.database.dsn)


def await_decided(system: ManyProcesses, ends: Sequence[int]) -> None:
    """Wait until what the log holds up to *ends* is decided."""

    def is_decided() -> bool:
        try:
            with system.connection() as connection:
                return has_caught_up(connection, ends)
        except Exception:  # noqa: BLE001 - the database may be what was killed
            return False

    try:
        wait_until(is_decided, "what was logged before is decided", SETTLED_SECONDS_MAX)
    except AssertionError as error:
        for process in system.processes.values():
            process.tell_whereabouts()
        time.sleep(TELLING_SECONDS)
        with system.connection() as connection:
            reached = "SELECT partition, next_position FROM worker_position ORDER BY partition"
            positions = connection.execute(reached).fetchall()
        message = (
            f"{error}: of {list(ends)} they reached {positions}; their logs say where they are"
        )
        raise AssertionError(message) from error


def ends_of(system: ManyProcesses) -> list[int]:
    """Return where the log of *system* ends now."""
    with system.log() as log:
        return log.ends()


def _billed_twice(dsn: str) -> int:
    """Return how often a session stands on a document too many, by the documents themselves."""
    issuer = InvoiceIssuer(dsn)
    try:
        billed = Counter(
            session_id for _, invoice in issuer.invoices() for session_id in invoice.session_ids
        )
    finally:
        issuer.close()
    return billed.total() - len(billed)

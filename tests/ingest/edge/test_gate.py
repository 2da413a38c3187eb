"""Right keys get in whatever others do; guesses are counted, held and cost what they must."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import pytest

from ingest.directory import StationAccess
from ingest.edge import gate as gate_module
from ingest.edge.gate import Gate, network_of
from ingest.edge.guesses import HOLD_MAX_SECONDS, HOLD_MIN_SECONDS, QUIET_SECONDS, FairTurns
from ingest.edge.known_keys import KnownKeys
from ingest.edge.security import Credentials
from ledger.declared.passwords import hash_password, is_quick, password_matches
from tests.edge import PASSWORD, SECRET

RANDOM = "9f86d081884c7d659a2feaa0c55ad015"
WEAK = StationAccess(station_id="CP1", password_hashes=(hash_password(PASSWORD),))
STRONG = StationAccess(station_id="CP2", password_hashes=(hash_password(RANDOM),))


@dataclass
class _Watch:
    """A monotonic clock that moves when told."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class _Hashes:
    """Compares as the product does, and counts the expensive hashes by whose they are."""

    tried: Counter[str] = field(default_factory=Counter)

    def __call__(self, key: bytes, password_hash: str) -> bool:
        if not is_quick(password_hash):
            whose = "CP1" if password_hash in WEAK.password_hashes else "decoy"
            self.tried[whose] += 1
        return password_matches(key, password_hash)


def gate_of(
    known: KnownKeys | None = None,
    *,
    watch: _Watch | None = None,
    matches: Callable[[bytes, str], bool] = password_matches,
) -> Gate:
    return Gate(watch or _Watch(), known or KnownKeys(SECRET), matches=matches)


async def hold(
    gate: Gate,
    station: StationAccess | None,
    key: str,
    *,
    identity: str = "",
    address: str = "a",
) -> float | None:
    identity = identity or (station.station_id if station else "CP9")
    return await gate.hold_of(station, Credentials(identity, key.encode()), address=address)


async def test_ten_thousand_reconnects_cost_one_hash() -> None:
    hashes = _Hashes()
    gate = gate_of(matches=hashes)

    for _ in range(10_000):
        assert await hold(gate, WEAK, PASSWORD, identity="cp1") is None

    assert hashes.tried == {"CP1": 1}


async def test_what_was_right_costs_no_hash_after_a_restart() -> None:
    before = KnownKeys(SECRET)
    assert await hold(gate_of(before), WEAK, PASSWORD) is None
    after, hashes = KnownKeys(SECRET), _Hashes()
    after.load(before.unsaved)

    assert await hold(gate_of(after, matches=hashes), WEAK, PASSWORD) is None
    assert hashes.tried == {}


async def test_what_was_right_is_worth_nothing_under_another_secret_or_for_another_station() -> (
    None
):
    before = KnownKeys(SECRET)
    await hold(gate_of(before), WEAK, PASSWORD)
    moved = {"cp3": before.unsaved["cp1"]}
    third = StationAccess(station_id="CP3", password_hashes=WEAK.password_hashes)
    for secret, proofs, station in (
        (bytes(31) + b"1", before.unsaved, WEAK),
        (SECRET, moved, third),
    ):
        known = KnownKeys(secret)
        known.load(proofs)

        assert known.is_known(
            station.station_id.lower(), PASSWORD.encode(), WEAK.password_hashes[0]
        ) is (False)
    assert KnownKeys(bytes(31) + b"1").keyed_by != before.keyed_by


async def test_a_random_key_never_costs_an_expensive_hash_when_it_is_right() -> None:
    hashes = _Hashes()

    assert await hold(gate_of(matches=hashes), STRONG, RANDOM) is None
    assert hashes.tried == {}


async def test_whoever_is_refused_costs_one_expensive_hash_known_or_not() -> None:
    known = KnownKeys(SECRET)
    await hold(gate_of(known), WEAK, PASSWORD)
    for station, whose in (
        (None, "decoy"),
        (STRONG, "decoy"),
        (WEAK, "CP1"),
    ):
        hashes = _Hashes()
        assert await hold(gate_of(matches=hashes), station, "wrong") is not None
        assert hashes.tried == {whose: 1}
    hashes = _Hashes()

    # Its digest is known: that it is wrong shows without the hash, which is burnt all the same.
    assert await hold(gate_of(known, matches=hashes), WEAK, "wrong") is not None
    assert hashes.tried == {"decoy": 1}


async def test_a_changed_password_ends_what_was_remembered() -> None:
    gate = gate_of()
    after = StationAccess(station_id="CP1", password_hashes=(hash_password("another"),))

    assert await hold(gate, WEAK, PASSWORD) is None
    assert await hold(gate, after, PASSWORD) is not None
    assert await hold(gate, after, "another") is None


async def test_while_a_password_changes_both_are_taken() -> None:
    gate = gate_of()
    both = (hash_password("new"), hash_password("old"), hash_password(RANDOM))
    station = StationAccess(station_id="CP1", password_hashes=both)

    for password in ("old", "new", "old", RANDOM, "new"):
        assert await hold(gate, station, password) is None


async def test_each_further_failure_doubles_the_hold_and_quiet_ends_it() -> None:
    watch = _Watch()
    gate = gate_of(watch=watch)

    holds = [await hold(gate, None, "x") for _ in range(12)]
    watch.seconds += QUIET_SECONDS
    still = await hold(gate, None, "x")
    watch.seconds += QUIET_SECONDS + 1
    after = await hold(gate, None, "x")

    assert holds == [HOLD_MIN_SECONDS] * 5 + [1, 2, 4, 8, 10, 10, 10]
    assert (still, after) == (HOLD_MAX_SECONDS, HOLD_MIN_SECONDS)


async def test_an_address_that_tries_many_identities_is_held_and_others_are_not() -> None:
    gate = gate_of(matches=lambda _key, _hash: False)

    holds = [await hold(gate, None, "x", identity=f"CP{n}") for n in range(53)]

    assert holds == [HOLD_MIN_SECONDS] * 50 + [1, 2, 4]
    assert await hold(gate, None, "x", identity="CP99", address="b") == HOLD_MIN_SECONDS


async def test_who_proves_itself_is_forgiven_and_its_address_is_not() -> None:
    gate = gate_of()

    for station, right in ((WEAK, PASSWORD), (WEAK, PASSWORD), (STRONG, RANDOM)):
        # By an expensive hash, then by its digest, then by a quick hash.
        for _ in range(10):
            held = await hold(gate, station, "wrong")
        assert held == HOLD_MAX_SECONDS
        assert await hold(gate, station, right) is None
        assert await hold(gate, station, "wrong") == HOLD_MIN_SECONDS
    for n in range(50):
        await hold(gate, None, "x", identity=f"CP{n + 10}")
    assert await hold(gate, WEAK, PASSWORD) is None
    assert await hold(gate, None, "x", identity="CP8") == HOLD_MAX_SECONDS


@pytest.mark.parametrize("guessed", ["CP1", "CP9"])
async def test_a_right_key_waits_for_no_guesses(guessed: str) -> None:
    free, tried = Event(), list[bytes]()

    def slow(key: bytes, password_hash: str) -> bool:
        free.wait(60)
        tried.append(key)
        return password_matches(key, password_hash)

    gate = gate_of(matches=slow)
    station = WEAK if guessed == "CP1" else None
    third = StationAccess(station_id="CP3", password_hashes=WEAK.password_hashes)
    guesses = [
        asyncio.create_task(hold(gate, station, f"guess {n}", identity=guessed)) for n in range(300)
    ]
    await asyncio.sleep(0)
    right = asyncio.create_task(hold(gate, third, PASSWORD))
    await asyncio.sleep(0)
    free.set()

    # It comes after those that were being tried, and one in turn with it.
    assert await right is None
    assert tried.index(PASSWORD.encode()) <= gate_module.AT_ONCE + 1
    for each in guesses:
        each.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def test_a_flood_of_unknown_names_costs_bounded_work() -> None:
    hashes = _Hashes()
    gate = gate_of(matches=hashes)

    held = await asyncio.gather(*(hold(gate, None, "x", identity=f"CP{n}") for n in range(600)))

    assert None not in held
    assert hashes.tried == {"decoy": gate_module.DECOYS_WAITING_MAX}


async def test_turns_go_round_between_addresses_then_identities_and_the_newest_comes_first() -> (
    None
):
    turns, order = FairTurns(1), list[str]()

    async def take(address: str, identity: str, name: str) -> None:
        async with turns.turn(address, identity):
            order.append(name)
            await asyncio.sleep(0)

    asked = [
        ("a", "x", "first"), ("a", "x", "a-x-old"), ("a", "x", "a-x-new"), ("a", "y", "a-y"),
        ("b", "x", "b-x-old"), ("b", "x", "b-x-new"),
    ]  # fmt: skip
    await asyncio.gather(*(take(*each) for each in asked))

    assert order == ["first", "a-x-new", "b-x-new", "a-y", "b-x-old", "a-x-old"]


@pytest.mark.parametrize("identity", ["x", "y"])
async def test_who_gives_up_waiting_takes_no_turn_and_loses_none(identity: str) -> None:
    turns, order, may_end = FairTurns(1), list[int](), asyncio.Event()

    async def take(number: int, identity: str = "x") -> None:
        async with turns.turn("a", identity):
            order.append(number)
            await may_end.wait()

    tasks = [asyncio.create_task(take(n)) for n in range(3)]
    tasks += [asyncio.create_task(take(n, identity)) for n in (3, 4)]
    await asyncio.sleep(0)
    tasks[3].cancel()  # it waits
    await asyncio.sleep(0)
    # The first one ends and passes its turn on before the next one knows that it is cancelled.
    tasks[0].cancel()
    tasks[4].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    tasks[1].cancel()  # it was given the turn just now
    await asyncio.gather(*tasks, return_exceptions=True)
    may_end.set()
    async with asyncio.timeout(60):
        await asyncio.gather(take(5), take(6))

    assert order == [0, 5, 6]


async def test_turns_outlive_any_giving_up() -> None:
    turns, had = FairTurns(2), Counter[str]()

    async def take(name: str) -> None:
        async with turns.turn(name[0], name[1]):
            had[name] += 1
            await asyncio.sleep(0)

    chance = random.Random(7)
    for _ in range(200):
        tasks = [
            asyncio.create_task(take(chance.choice("ab") + chance.choice("xyz"))) for _ in range(20)
        ]
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
            for each in chance.sample(tasks, 3):
                each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    had.clear()
    async with asyncio.timeout(60):
        await asyncio.gather(*(take("ax") for _ in range(5)))

    assert had == {"ax": 5}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::"),
        ("2001:db8:0:2:2:3:4:5", "2001:db8:0:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_who_has_a_network_has_all_its_addresses(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_guesses_from_all_over_a_network_count_together() -> None:
    gate = gate_of(matches=lambda _key, _hash: False)

    holds = [
        await hold(gate, None, "x", identity=f"CP{n}", address=f"2001:db8::{n:x}")
        for n in range(52)
    ]

    assert holds[-2:] == [1, 2]

"""What guesses are counted, held and forgotten by: each bound from both of its sides."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time

import psycopg
import pytest

from ingest.directory import StationAccess
from ingest.edge import gate as gate_module
from ingest.edge import known_keys
from ingest.edge.admissions import TEXT_MAX, Admissions, Reason
from ingest.edge.door import identity_of
from ingest.edge.gate import Gate
from ingest.edge.guesses import Failures
from ingest.edge.known_keys import KnownKeys, Proof
from ingest.edge.security import Credentials
from ledger.declared.passwords import hash_password
from tests.edge import PASSWORD, SECRET
from tests.fakes import NOON, FixedClock, MemoryAdmissions

KEYED_BY = "e7f4e9d91ae200929c3e7e72ce158d07"
PROOF = Proof(
    bytes.fromhex("f44be64d2de895454c3467021928e55e"),
    bytes.fromhex("9bf2e53c416576591b09d77c7b830c4c9a5d35015bff059c31ec0e4e2e779389"),
)


def failures(*, names_max: int = 100) -> Failures:
    return Failures(lambda: 0.0, names_max=names_max)


@pytest.mark.parametrize(
    ("count", "held"), [(5, 0.5), (6, 1), (7, 2), (8, 4), (9, 8), (10, 10), (2_000, 10)]
)
def test_an_identity_has_five_failures_free_and_is_never_held_for_long(
    count: int, held: float
) -> None:
    counted = failures(names_max=10_000)

    assert [counted.add(f"a{n}", "x") for n in range(count)][-1] == held


@pytest.mark.parametrize(("count", "held"), [(50, 0.5), (51, 1), (52, 2), (2_000, 10)])
def test_an_address_has_fifty_failures_free(count: int, held: float) -> None:
    counted = failures(names_max=10_000)

    assert [counted.add("a", f"x{n}") for n in range(count)][-1] == held


@pytest.mark.parametrize(("names_max", "held"), [(4, 1), (3, 0.5)])
def test_of_too_many_names_the_one_that_failed_longest_ago_is_forgotten(
    names_max: int, held: float
) -> None:
    counted = failures(names_max=names_max)
    for _ in range(5):
        counted.add("a", "x")
    counted.add("a", "y")  # now a, x and y are counted, and b comes with the fourth name

    assert counted.add("b", "x") == held


@pytest.mark.parametrize(("seconds", "held"), [(300.0, 1), (300.1, 0.5)])
def test_five_minutes_without_a_failure_are_not_enough_and_more_are(
    seconds: float, held: float
) -> None:
    now = [0.0]
    counted = Failures(lambda: now[0])
    for _ in range(5):
        counted.add("a", "x")
    now[0] += seconds

    assert counted.add("a", "x") == held
    # It starts afresh with this failure as the first one.
    assert [counted.add("a", "x") for _ in range(5)][-1] == (10 if held == 1 else 1)


def test_who_proves_itself_has_all_its_free_failures_again_and_nobody_else() -> None:
    counted = failures()
    for name in ("x", "y"):
        for _ in range(5):
            counted.add("a", name)
    counted.forgive("x")

    assert [counted.add("a", "x") for _ in range(6)] == [0.5] * 5 + [1]
    assert counted.add("b", "y") == 1


@pytest.mark.parametrize(
    ("password_hash", "is_known"),
    [
        pytest.param("scrypt$", False, id="by an expensive hash"),
        pytest.param("scrypt$", True, id="by its digest"),
        pytest.param("hmac-sha256$", False, id="by a quick hash"),
    ],
)
async def test_a_right_key_has_the_failures_of_its_identity_forgiven(
    password_hash: str, *, is_known: bool
) -> None:
    known = KnownKeys(SECRET)
    if is_known:
        known.remember("cp1", b"right", password_hash)
    gate = Gate(lambda: 0.0, known, matches=lambda key, _: key == b"right")
    station = StationAccess(station_id="CP1", password_hashes=(password_hash,))

    async def tried(key: bytes, *, identity: str = "CP1") -> float | None:
        return await gate.hold_of(station, Credentials(identity, key), address="a")

    assert [await tried(b"wrong") for _ in range(6)] == [0.5] * 5 + [1]
    assert await tried(b"right") is None
    # As another spelling of the same name, which is counted with it.
    assert [await tried(b"wrong", identity="cp1") for _ in range(6)] == [0.5] * 5 + [1]


def test_a_proof_of_long_ago_is_still_one() -> None:
    known = KnownKeys(SECRET)
    known.remember("cp1", b"key", "hash")

    assert known.keyed_by == KEYED_BY
    assert known.unsaved == {"cp1": PROOF}


def test_of_too_many_proofs_the_one_used_longest_ago_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "REMEMBERED_MAX", 3)
    known = KnownKeys(SECRET)
    for name in ("a", "b", "c", "a"):
        known.remember(name, b"key", "hash")

    assert [known.is_known(name, b"key", "hash") for name in "abc"] == [True] * 3
    known.remember("d", b"key", "hash")
    assert [known.is_known(name, b"key", "hash") for name in "abcd"] == [True, None, True, True]


async def test_as_many_keys_are_checked_at_once_as_there_are_processors_up_to_four() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(gate_module.AT_ONCE, timeout=60)

    def slow(_key: bytes, _hash: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        time.sleep(0.05)  # so that one more would be seen
        with lock:
            running -= 1
        return False

    gate = Gate(lambda: 0.0, KnownKeys(SECRET), matches=slow)
    weak = StationAccess(station_id="CP1", password_hashes=(hash_password(PASSWORD),))
    credentials = Credentials("CP1", b"wrong")
    await asyncio.gather(*(gate.hold_of(weak, credentials, address=f"a{n}") for n in range(12)))

    assert most == gate_module.AT_ONCE == min(4, os.cpu_count() or 1)


async def test_what_is_wrong_for_sure_is_burnt_one_at_a_time_and_then_again() -> None:
    running, most, tried = 0, 0, 0

    def slow(_key: bytes, _hash: str) -> bool:
        nonlocal running, most, tried
        running, tried = running + 1, tried + 1
        most = max(most, running)
        time.sleep(0.005)
        running -= 1
        return False

    gate = Gate(lambda: 0.0, KnownKeys(SECRET), matches=slow)
    for _ in range(2):  # whoever had a turn leaves it to the next ones
        guesses = (gate.hold_of(None, Credentials("x", b"k"), address="a") for _ in range(40))
        assert None not in await asyncio.gather(*guesses)

    assert (most, tried) == (1, 2 * 16)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * TEXT_MAX, "x" * TEXT_MAX),
        ("x" * (TEXT_MAX + 1), "x" * (TEXT_MAX - 3) + "..."),
    ],
)
async def test_what_a_stranger_says_is_kept_up_to_64_signs(text: str, kept: str) -> None:
    store = MemoryAdmissions()
    admissions = Admissions(store, KnownKeys(SECRET), FixedClock())
    admissions.refuse(Reason.USER_NAME, text, text)
    await admissions.save()

    [refused] = store.refused
    assert (refused.identity, refused.address) == (kept, kept)
    assert len(kept) == 64


@pytest.mark.parametrize(("count", "lines", "rest"), [(10, 10, None), (11, 11, "1 more")])
async def test_ten_refusals_are_logged_by_name_and_those_that_came_most_often(
    count: int, lines: int, rest: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    admissions = Admissions(MemoryAdmissions(), KnownKeys(SECRET), FixedClock())
    for n in range(count):
        admissions.refuse(Reason.USER_NAME, f"x{n}", "a")
    admissions.refuse(Reason.USER_NAME, f"x{count - 1}", "a")
    await admissions.save()

    assert len(caplog.messages) == lines
    assert caplog.messages[0].startswith(f"refused 'x{count - 1}' from a: ")
    assert caplog.messages[0].endswith(", 2 times")
    assert "times" not in caplog.messages[1]
    if rest:
        assert caplog.messages[-1] == f"refused {rest} connections of 1 others"


async def test_a_refusal_that_comes_again_keeps_when_it_came_first() -> None:
    store, clock = MemoryAdmissions(), FixedClock()
    admissions = Admissions(store, KnownKeys(SECRET), clock)
    admissions.refuse(Reason.USER_NAME, "x", "a")
    await clock.sleep(5)
    admissions.refuse(Reason.USER_NAME, "x", "a")
    await admissions.save()

    [times] = store.refused.values()
    assert (times.first_at, times.last_at, times.times) == (NOON, clock.moment, 2)


async def test_who_is_refused_while_a_save_fails_is_counted_with_what_it_held() -> None:
    class Failing(MemoryAdmissions):
        async def save(self, *arguments: object) -> None:
            if not failed:
                failed.append(True)
                admissions.refuse(Reason.USER_NAME, "x", "a")
                admissions.refuse(Reason.USER_NAME, "y", "a")
                raise psycopg.OperationalError
            await super().save(*arguments)  # type: ignore[arg-type]

    failed, store = list[bool](), Failing()
    admissions = Admissions(store, KnownKeys(SECRET), FixedClock())
    admissions.refuse(Reason.USER_NAME, "x", "a")
    await admissions.save()
    await admissions.save()

    assert {each.identity: times.times for each, times in store.refused.items()} == {
        "x": 2,
        "y": 1,
    }


async def test_a_proof_that_is_given_while_one_is_saved_is_saved_the_next_time() -> None:
    known = KnownKeys(SECRET)

    class Meanwhile(MemoryAdmissions):
        async def save(self, *arguments: object) -> None:
            await super().save(*arguments)  # type: ignore[arg-type]
            if len(self.kept) == 1 and known.unsaved.get("cp1") == self.kept["cp1"]:
                known.remember("cp1", b"new", "hash")

    store = Meanwhile()
    admissions = Admissions(store, known, FixedClock())
    known.remember("cp1", b"old", "hash")
    await admissions.save()

    assert list(known.unsaved) == ["cp1"]
    newer = known.unsaved["cp1"]
    await admissions.save()
    assert store.kept["cp1"] == newer


@pytest.mark.parametrize(("length", "is_one"), [(255, True), (256, False)])
def test_an_identity_has_at_most_255_signs(length: int, *, is_one: bool) -> None:
    assert identity_of(f"/ocpp/{'x' * length}") == ("x" * length if is_one else "")

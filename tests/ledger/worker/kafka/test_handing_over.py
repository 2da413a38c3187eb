"""What Faust hands over: kept, or left to the worker's own lots; how Faust is set, and failures."""

# ruff: noqa: SLF001 - Faust calls these parts, and each alone needs no broker

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from ingest.facts.translate import translate
from ledger.log.kafka.cluster import MESSAGE_BYTES_MAX, KafkaCluster
from ledger.worker.kafka import faust_app
from ledger.worker.kafka.faust_app import (
    BUFFERED_MESSAGES,
    SKIPPED_MIN,
    TAKEN_AT_ONCE,
    WorkerGroup,
    _credentials,
    _SeekingConsumer,
)

NOWHERE = KafkaCluster(bootstrap="127.0.0.1:1", topic="t")


class Place(NamedTuple):
    """A partition of the topic, as Faust names it."""

    topic: str
    partition: int


ZERO, ONE = Place("t", 0), Place("t", 1)


class Consumer:
    """What Faust reads with: it knows the ends, and notes where it is sent."""

    def __init__(self, ends: Mapping[Place, int | None]) -> None:
        self.ends = ends
        self.sought: list[Mapping[Place, int]] = []
        self.seeking: Callable[[], None] = lambda: None

    def highwater(self, place: Place) -> int | None:
        return self.ends[place]

    async def seek_wait(self, places: Mapping[Place, int]) -> None:
        self.sought.append(dict(places))
        self.seeking()


def event(place: Place, offset: int) -> Any:  # noqa: ANN401 - Faust's
    message = SimpleNamespace(
        tp=place,
        partition=place.partition,
        offset=offset,
        value=b"{}",
        headers=[("codec", b"json")],
    )
    return SimpleNamespace(message=message)


@pytest.fixture
def group(tmp_path: Path) -> WorkerGroup:
    group = WorkerGroup("", cluster=NOWHERE, translate=translate, folder=tmp_path)
    group._handed.begin({0: 0, 1: 0})
    return group


@pytest.mark.parametrize(
    ("end", "is_skipped"),
    [(10 + SKIPPED_MIN, False), (10 + SKIPPED_MIN + 1, True), (0, False), (None, False)],
)
async def test_what_waits_in_great_number_is_not_handed_over(
    group: WorkerGroup, end: int | None, *, is_skipped: bool
) -> None:
    consumer = Consumer({ZERO: end, ONE: 7})
    during: list[bool] = []
    consumer.seeking = lambda: during.append(group._handed.lacks(0, 11))
    await group._skip([event(ZERO, 3), event(ONE, 5), event(ZERO, 10)], consumer)

    assert consumer.sought == ([{ZERO: end}] if is_skipped else [])
    assert during == ([False] if is_skipped else []), "from then on it is read by the worker"
    assert group._handed.lacks(0, 11) is not is_skipped
    assert group._handed.lacks(0, 10 + SKIPPED_MIN + 1)
    assert group._handed.lacks(1, 0)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_rebalance_within_a_skip_leaves_nothing_out(
    group: WorkerGroup, *, fails: bool
) -> None:
    consumer = Consumer({ZERO: 1000})

    def rebalance() -> None:
        group._handed.begin({0: 5})
        if fails:
            raise ConnectionError

    consumer.seeking = rebalance
    await group._skip([event(ZERO, 10)], consumer)

    assert not group._handed.lacks(0, 999)
    assert group._handed.lacks(0, 1000)


class Handed:
    """A stream of Faust's that gives lots of events."""

    def __init__(self, lots: list[list[Any]], consumer: Consumer) -> None:
        self.lots, self.app = lots, SimpleNamespace(consumer=consumer)
        self.asked: list[tuple[int, float]] = []

    async def take_events(self, most: int, *, within: float) -> AsyncIterator[list[Any]]:
        self.asked.append((most, within))
        for lot in self.lots:
            yield lot


@pytest.mark.parametrize(
    ("count", "is_skipped"), [(TAKEN_AT_ONCE - 1, False), (TAKEN_AT_ONCE, True)]
)
async def test_only_a_full_lot_says_that_many_may_wait(
    group: WorkerGroup, count: int, *, is_skipped: bool
) -> None:
    consumer = Consumer({ZERO: 5000})
    handed = Handed([[event(ZERO, n) for n in range(count)]], consumer)
    await group._follow(handed)

    assert bool(consumer.sought) is is_skipped
    assert handed.asked == [(TAKEN_AT_ONCE, faust_app.TAKEN_WITHIN_SECONDS)]
    found = group._handed.read(0, 0, records=count)
    assert [each.position for each in found] == list(range(count))
    assert group._failure is None


async def test_after_a_failure_nothing_is_handed_over_and_the_first_one_counts(
    group: WorkerGroup,
) -> None:
    strange = event(ZERO, 1)
    strange.message.headers = []
    lots = [[event(ZERO, 0)], [strange], [event(ZERO, 1)], [event(ZERO, 2)]]
    await group._follow(Handed(lots, Consumer({ZERO: 3})))

    assert "is none of Wattledger's" in str(group._failure)
    assert group._stopping.is_set()
    assert [each.position for each in group._handed.read(0, 0, records=9)] == [0]
    first = group._failure
    group._fail(ValueError())
    assert group._failure is first


@pytest.mark.parametrize(
    ("is_ending", "error", "is_raised"),
    [
        (True, asyncio.CancelledError(), True),
        (False, asyncio.CancelledError(), False),
        (True, ValueError(), False),
    ],
)
async def test_who_is_cancelled_at_the_end_did_not_fail(
    group: WorkerGroup,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    *,
    is_ending: bool,
    is_raised: bool,
) -> None:
    async def fail() -> None:
        raise error

    monkeypatch.setattr(group._turns, "take", fail)
    group._is_ending = is_ending
    following = group._follow(Handed([[event(ZERO, 0)]], Consumer({})))
    if is_raised:
        with pytest.raises(asyncio.CancelledError):
            await following
        assert group._failure is None
    else:
        await following
        assert group._failure is error


async def test_positions_that_cannot_be_found_end_the_process(
    group: WorkerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise ValueError

    monkeypatch.setattr(group._turns, "open", fail)
    with pytest.raises(ValueError, match=r"^$"):
        await group._positions([0])
    assert isinstance(group._failure, ValueError)
    assert group._stopping.is_set()


async def test_from_the_positions_on_records_are_awaited(
    group: WorkerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opened(partitions: object) -> Mapping[int, int]:
        assert partitions == [0]
        return {0: 4}

    monkeypatch.setattr(group._turns, "open", opened)
    assert await group._positions([0]) == {0: 4}
    assert [group._handed.lacks(0, n) for n in (3, 4)] == [False, True]
    assert not group._handed.lacks(1, 9), "what is not ours"


async def test_faust_keeps_little_commits_nothing_and_opens_no_door(group: WorkerGroup) -> None:
    conf: Any = group._app(2).conf

    assert conf.broker_heartbeat_interval == conf.broker_session_timeout / 4
    assert (conf.broker_max_poll_records, conf.stream_buffer_maxsize) == (BUFFERED_MESSAGES,) * 2
    assert conf.consumer_max_fetch_size == MESSAGE_BYTES_MAX
    assert (conf.topic_disable_leader, conf.topic_allow_declare) == (True, False)
    assert (conf.web_enabled, conf.autodiscover, conf.stream_wait_empty) == (False, False, False)
    [agent] = group._app(2).agents.values()
    assert agent.concurrency == 1


async def test_who_rests_is_looked_after_and_every_look_beats(
    group: WorkerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faust_app, "REST_LOOK_SECONDS", 0.01)
    beats, done = [], asyncio.Event()

    def beat() -> None:
        beats.append(group._turns.resting)
        if len(beats) == 3:
            done.set()

    async def fail() -> None:
        raise ValueError

    group._beat = beat
    monkeypatch.setattr(group._turns, "take", fail)
    looking = asyncio.create_task(group._look_after_resting())
    await asyncio.wait_for(done.wait(), 60)
    assert group._failure is None, "nobody rests: it only waits for the turn that is on"
    group._turns.resting = [0]
    await asyncio.wait_for(group._stopping.wait(), 60)
    looking.cancel()

    assert isinstance(group._failure, ValueError)
    assert not looking.done()


@pytest.mark.parametrize("positions", [{0: 4}, {}])
async def test_faust_is_sought_to_where_the_books_are(positions: Mapping[int, int]) -> None:
    sought: list[Mapping[Place, int]] = []
    asked: list[object] = []

    async def seek_wait(places: Mapping[Place, int]) -> None:
        sought.append(places)

    async def found(partitions: object) -> Mapping[int, int]:
        asked.append(partitions)
        return positions

    consumer: Any = SimpleNamespace(
        assignment=lambda: {ONE, ZERO},
        seek_wait=seek_wait,
        transport=SimpleNamespace(positions=found),
    )
    await _SeekingConsumer.perform_seek(consumer)

    assert asked == [[0, 1]]
    assert sought == ([{ZERO: 4}] if positions else [])


def test_of_no_message_is_an_account_kept() -> None:
    message = SimpleNamespace(acked=False)
    nobody: Any = None

    assert _SeekingConsumer.ack(nobody, message) is False
    assert message.acked is True


def test_a_group_says_who_it_is_as_its_cluster_wants() -> None:
    known = replace(NOWHERE, sasl_mechanism="PLAIN", sasl_user="we", sasl_password="key")

    assert _credentials(NOWHERE) is None
    found = _credentials(known)
    assert (found.username, found.password) == ("we", "key")

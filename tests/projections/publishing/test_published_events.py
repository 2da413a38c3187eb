"""Publishing on a real broker: all of it, in order for each key, whoever dies or is away."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AdminClient,
    NewTopic,
)

from deploy.kafka.brokers import KafkaBrokers
from ledger.leases import LeaseLostError
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.publisher import KafkaPublisher, KeyedMessage, NotPublishedError
from ledger.log.kafka.topics import PROFILES, make_topic
from projections.publishing.publisher import EventPublisher
from projections.publishing.sources import FeedSource
from tests.charging_day import choose
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on
from tests.projections.publishing.events_read import (
    ReadEvent,
    events_told,
    first_of_each,
    read_topic,
    sources_of,
)

NEVER = threading.Event()
ADVANCE = "projections.publishing.publisher.advance"


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database)


@pytest.fixture
def topic(kafka: KafkaCluster) -> KafkaCluster:
    """An empty topic for decisions, of three partitions."""
    assert make_topic(kafka, partitions=3, profile=PROFILES["development"])
    return kafka


@contextmanager
def publisher(
    dsn: str, to: KafkaCluster | KafkaPublisher, holder: str = "a"
) -> Iterator[EventPublisher]:
    topic = KafkaPublisher(to) if isinstance(to, KafkaCluster) else to
    with (
        sources_of(dsn) as sources,
        closing(EventPublisher(dsn, topic, sources, holder=holder)) as made,
    ):
        yield made


def publish_all(dsn: str, cluster: KafkaCluster) -> int:
    """Publish until there is nothing new; return how many numbers were passed."""
    passed = 0
    with publisher(dsn, cluster) as one:
        while count := one.publish_once(NEVER):
            passed += count
    return passed


def decided(dsn: str) -> dict[str, list[str]]:
    """Return the ids of all events by key, in the order of their decisions."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    with ask(dsn) as connection:
        for key, partition, number in connection.execute(
            "SELECT subject, partition, number FROM feed ORDER BY partition, number"
        ):
            found[str(key)].append(f"feed/{partition}/{number}")
    return dict(found)


def by_key(events: Sequence[ReadEvent]) -> dict[str, list[str]]:
    """Return the ids by key, in the order of the topic; a key is in one partition alone."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    homes: defaultdict[str, set[int]] = defaultdict(set)
    for event in events:
        found[event.key].append(event.content["id"])
        homes[event.key].add(event.partition)
    assert {len(each) for each in homes.values()} <= {1}
    return dict(found)


def until(reached: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.05)


@contextmanager
def running(one: EventPublisher) -> Iterator[None]:
    """Let a publisher run in a thread until the end."""
    stop = threading.Event()
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_all_decisions_of_a_day_come_once_and_in_order_for_each_key(
    books: str, topic: KafkaCluster
) -> None:
    count = publish_all(books, topic)
    go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])
    count += publish_all(books, topic)

    events = read_topic(topic, least=count)

    assert by_key(events) == decided(books)
    assert len(events) == count
    told = [e.content["kind"] for e in events if e.key == "CS-NEW-2/B/20260302T071000Z"]
    assert told == ["session.held", "session.released"]
    for event in events:
        named = {"id": event.content["id"], "kind": event.content["kind"]}
        assert (event.headers, event.key) == (named, event.content["key"])


class Mortal(KafkaPublisher):
    """Dies once the brokers have everything, before anybody notes that."""

    def settle(self, seconds: float) -> bool:
        if super().settle(seconds):
            os.kill(os.getpid(), signal.SIGKILL)
        return False


def publish_and_die(dsn: str, cluster: KafkaCluster) -> None:
    EventPublisher(dsn, Mortal(cluster), [FeedSource()], holder="a").publish_once(NEVER)


def test_a_kill_between_the_brokers_word_and_the_position_makes_repeats_and_no_gap(
    books: str, topic: KafkaCluster
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=publish_and_die, args=(books, topic)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    early = read_topic(topic, least=1)

    count = publish_all(books, topic)

    events = read_topic(topic, least=len(early) + count)
    assert len(events) == len(early) + count
    assert by_key(first_of_each(events)) == decided(books)
    by_id = defaultdict(list)
    for event in events:
        by_id[event.content["id"]].append(event.content)
    assert sorted(map(len, by_id.values())) == [1] * (count - len(early)) + [2] * len(early)
    assert all(each == said[0] for said in by_id.values() for each in said)


def test_a_database_that_fails_before_the_commit_leaves_the_position(
    books: str, topic: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise psycopg.OperationalError

    with monkeypatch.context() as patch, publisher(books, topic) as one:
        patch.setattr(ADVANCE, fails)
        with pytest.raises(psycopg.OperationalError):
            one.publish_once(NEVER)

    assert publish_all(books, topic) == sum(map(len, decided(books).values()))


def test_one_of_two_publishes_and_the_other_takes_over_at_once_when_it_ends(
    books: str, topic: KafkaCluster
) -> None:
    with publisher(books, topic, "b") as second:
        with publisher(books, topic, "a") as first:
            count = first.publish_once(NEVER)
            assert second.publish_once(NEVER) == 0
            go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])
            assert second.publish_once(NEVER) == 0
        more = second.publish_once(NEVER)

    assert (count > 0, more) == (True, 2)
    assert by_key(read_topic(topic, least=count + more)) == decided(books)


def test_one_that_stood_still_and_was_taken_over_moves_no_position(
    books: str, topic: KafkaCluster
) -> None:
    counts: list[int] = []

    class Slow(KafkaPublisher):
        """Stands still until another one took the lease and published."""

        def settle(self, seconds: float) -> bool:
            if not counts:
                with ask(books) as connection:
                    connection.execute("UPDATE lease SET until = now()")
                with publisher(books, topic, "b") as second:
                    counts.append(second.publish_once(NEVER))
            return super().settle(seconds)

    with publisher(books, Slow(topic)) as first, pytest.raises(LeaseLostError):
        first.publish_once(NEVER)

    assert by_key(first_of_each(read_topic(topic, least=counts[0]))) == decided(books)
    assert publish_all(books, topic) == 0


def test_one_that_is_gone_without_a_word_is_replaced_within_seconds(
    books: str, topic: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("LEASE", 1.0), ("HOLD", 0.3), ("LOOK", 0.1)):
        monkeypatch.setattr(f"projections.publishing.publisher.{name}_SECONDS", seconds)
    with publisher(books, topic, "a") as gone, publisher(books, topic, "b") as second:
        count = gone.publish_once(NEVER)
        go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])
        with running(second):
            events = read_topic(topic, least=count + 2)

    assert by_key(events) == decided(books)


def test_a_position_that_is_set_back_by_hand_publishes_again_under_the_same_ids(
    books: str, topic: KafkaCluster
) -> None:
    count = publish_all(books, topic)
    with ask(books) as connection:
        connection.execute("DELETE FROM follower_position")

    assert publish_all(books, topic) == count

    assert by_key(first_of_each(read_topic(topic, least=2 * count))) == decided(books)


@pytest.mark.timeout(300)  # a broker starts twice
def test_while_kafka_is_away_one_page_waits_and_the_lease_is_held(
    books: str, tmp_path: Path
) -> None:
    with KafkaBrokers(tmp_path) as brokers:
        cluster = KafkaCluster(bootstrap=brokers.bootstrap, topic="decisions")
        make_topic(cluster, partitions=3, profile=PROFILES["development"])
        to, [number] = KafkaPublisher(cluster), brokers.numbers
        with publisher(books, to) as one:
            count = one.publish_once(NEVER)
            brokers.kill(number)
            go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])
            with running(one):
                until(lambda: to.waiting > 0)
                for _ in range(80):  # longer than the lease lasts by itself
                    assert to.waiting <= 2
                    time.sleep(0.1)
                assert lease_left(books) > 0
                brokers.start(number)
                events = read_topic(cluster, least=count + 2, seconds=60)
                until(lambda: to.waiting == 0)

        assert by_key(events) == decided(books)
        assert publish_all(books, cluster) == 0


def lease_left(dsn: str) -> float:
    with ask(dsn) as connection:
        [(seconds,)] = connection.execute("SELECT extract(epoch FROM until - now()) FROM lease")
    return float(str(seconds))


def test_one_that_is_stopped_while_kafka_is_away_ends_and_publishes_it_later(
    books: str, topic: KafkaCluster
) -> None:
    nowhere = KafkaPublisher(replace(topic, bootstrap="127.0.0.1:1"))
    with publisher(books, nowhere) as one, running(one):
        until(lambda: nowhere.waiting > 0)

    assert publish_all(books, topic) == sum(map(len, decided(books).values()))


def test_what_the_brokers_refuse_for_good_is_not_overtaken(kafka: KafkaCluster) -> None:
    admin = AdminClient(kafka.client())
    small = NewTopic(kafka.topic, num_partitions=1, config={"max.message.bytes": "1000"})
    admin.create_topics([small])[kafka.topic].result(60)
    one = KafkaPublisher(kafka)
    too_large = b'"%s"' % os.urandom(2000).hex().encode()

    def publish(*texts: bytes) -> None:
        for text in texts:
            one.send([KeyedMessage(b"key", text, [])])
            time.sleep(0.02)  # each by itself
        while not one.settle(1):
            pass

    publish(b'"first"')
    for _ in range(2):
        with pytest.raises(NotPublishedError, match="may not have been stored"):
            publish(too_large, *[b'"later"'] * 20)
    publish(b'"last"')

    assert [event.content for event in read_topic(kafka, least=2)] == ["first", "last"]


def test_events_are_told_alike_whoever_asks(books: str, topic: KafkaCluster) -> None:
    count = publish_all(books, topic)
    with ask(books) as connection:
        connection.execute("DELETE FROM follower_position")

    told = {event.id for event in events_told(books)}

    assert told == {event.content["id"] for event in read_topic(topic, least=count)}

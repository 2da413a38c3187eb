"""The part that publishes, and the commands around its topic, on a real broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AdminClient,
    NewTopic,
)

from deploy.cli import WRONG, run
from deploy.clock import SystemClock
from deploy.observing.books import BooksReader, T
from deploy.observing.metrics import Reported
from deploy.observing.publishing_condition import STUCK_SECONDS_MAX, PublishingCondition
from deploy.observing.watch import Condition, Watch
from deploy.running.log_store import decisions_cluster
from deploy.running.parts import PartContext
from deploy.running.processes import publish_decisions
from deploy.running.wiring import PARTS, parts_for
from deploy.settings import NAMES, BadSettingError, Settings
from ledger.database import connect
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.publisher import KafkaPublisher
from ledger.log.kafka.topics import PROFILES, NoTopicError, WeakTopicError, make_topic
from projections.publishing.publisher import EventPublisher
from projections.publishing.sources import FeedSource
from tests.projections.books_of_a_day import books_of_a_day
from tests.projections.publishing.events_read import read_topic


@pytest.fixture
def settings(kafka: KafkaCluster, tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path,
        log="kafka",
        partitions=3,
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic=kafka.topic,
        kafka_decisions_topic=f"{kafka.topic}.decisions",
        kafka_profile="development",
    )


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the commands find them."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
        if name.startswith(("kafka", "data", "log", "partitions")):
            monkeypatch.setenv(f"WATTLEDGER_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.delenv("WATTLEDGER_DATABASE_URL", raising=False)
    monkeypatch.delenv("WATTLEDGER_DATABASE_IDLE_SECONDS", raising=False)
    return settings


def test_it_is_a_part_where_the_log_is_in_kafka(settings: Settings) -> None:
    plain = parts_for(replace(settings, log="postgres"))
    assert [part.name for part in parts_for(settings)] == [*(p.name for p in plain), "publishing"]
    assert [part for part in plain if part in PARTS] == list(PARTS)


def test_decisions_are_not_published_into_the_log(settings: Settings) -> None:
    with pytest.raises(BadSettingError, match="another topic than kafka_topic"):
        replace(settings, kafka_decisions_topic=settings.kafka_topic)


def test_it_publishes_until_it_is_stopped_and_tells_of_its_health(
    database: str, settings: Settings
) -> None:
    cluster = decisions_cluster(settings)
    make_topic(cluster, partitions=3, profile=PROFILES["development"])
    books_of_a_day(database)
    context = PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="a")
    stop, watch, news = threading.Event(), Watch("publishing"), list[object]()
    thread = threading.Thread(
        target=publish_decisions, args=(context, stop, news.append, watch), daemon=True
    )
    thread.start()

    try:
        events = read_topic(cluster, least=11)
        told = values(watch.metrics())
    finally:
        stop.set()
        thread.join(20)

    assert not thread.is_alive()
    assert news == [None]
    assert len(events) == 11
    assert told["wattledger_ready"] == 1
    assert told["wattledger_publishes"] == 1


def test_it_does_not_begin_without_its_topic(database: str, settings: Settings) -> None:
    context = PartContext(settings=settings, clock=SystemClock(), dsn=database)

    with pytest.raises(NoTopicError, match="`wattledger kafka init` makes it"):
        publish_decisions(context, threading.Event(), print, Watch("publishing"))

    settings = replace(settings, kafka_profile="production")
    make_topic(decisions_cluster(settings), partitions=3, profile=PROFILES["development"])
    context = replace(context, settings=settings)
    with pytest.raises(WeakTopicError, match=r"replication is 1, not 3\+"):
        publish_decisions(context, threading.Event(), print, Watch("publishing"))


def values(reports: Iterable[Reported]) -> dict[str, float]:
    """Return what metrics without labels say."""
    return {
        metric.name: told[()]
        for metric, told in reports
        if isinstance(told, Mapping) and () in told
    }


class BriefReader(BooksReader):
    """Closes its connection after each question, for a test ends before its process."""

    def ask(self, question: Callable[[psycopg.Connection[Any]], T]) -> T:
        with connect(self._dsn) as connection:
            return question(connection)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.observing.publishing_condition.BooksReader", BriefReader)


@pytest.fixture
def publisher(database: str) -> Iterator[EventPublisher]:
    topic = KafkaPublisher(KafkaCluster(bootstrap="127.0.0.1:1"))
    with closing(EventPublisher(database, topic, [FeedSource()], holder="a")) as made:
        yield made


@pytest.mark.parametrize(("seconds", "codes"), [(-1, []), (1, ["not_publishing"])])
def test_it_is_not_ready_once_kafka_has_taken_nothing_for_long(
    database: str, publisher: EventPublisher, monkeypatch: pytest.MonkeyPatch, seconds: float,
    codes: list[str],
) -> None:  # fmt: skip
    books_of_a_day(database)
    publisher.stuck_since = 1000.0
    now = 1000.0 + STUCK_SECONDS_MAX + seconds
    monkeypatch.setattr("deploy.observing.publishing_condition.monotonic", lambda: now)

    found: Condition = PublishingCondition(database, publisher)()

    assert [each.code for each in found.unready] == codes
    told = values(found.metrics)
    assert told["wattledger_events_waiting"] == 11
    assert (told["wattledger_publishes"], told["wattledger_books_readable"]) == (0, 1)


def test_both_topics_are_made_and_checked(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = environment.kafka_decisions_topic
    assert run(["kafka", "init", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["topic"], made["partitions"], made["made"]) == (environment.kafka_topic, 3, True)
    assert (made["faults"], made["decisions"]) == (
        [], {"topic": decisions, "made": True, "faults": []},
    )  # fmt: skip

    assert run(["kafka", "check"]) == 0
    said = capsys.readouterr().out
    assert f"The topic {environment.kafka_topic} is there: 3 partitions" in said
    assert f"The topic {decisions} is there: decisions" in said


def test_how_long_decisions_are_kept_is_the_operator_s_choice_and_their_safety_is_not(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = environment.kafka_decisions_topic
    own = {
        "retention.ms": "1000",
        "cleanup.policy": "compact",
        "unclean.leader.election.enable": "true",
        "max.message.bytes": "1000",
    }
    admin = AdminClient({"bootstrap.servers": environment.kafka_bootstrap})
    topic = NewTopic(decisions, num_partitions=1, config=own)
    admin.create_topics([topic])[decisions].result(60)

    assert run(["kafka", "init", "--json"]) == WRONG
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], told["faults"], told["decisions"]["made"]) == (True, [], False)
    assert [each["what"] for each in told["decisions"]["faults"]] == [
        "unclean.leader.election.enable",
        "message.timestamp.type",
        "max.message.bytes",
    ]

    assert run(["kafka", "check"]) == WRONG
    said = capsys.readouterr().out
    assert f"--entity-name {decisions} --add-config unclean.leader.election.enable=false" in said


def test_a_schema_is_printed_and_an_unknown_kind_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["events", "schema"]) == 0
    assert "session.rated" in capsys.readouterr().out.split()
    assert run(["events", "schema", "session.rated"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "session.rated, version 1"
    assert run(["events", "schema", "session.ratet"]) == WRONG
    assert "no event is of the kind session.ratet" in capsys.readouterr().err

"""Events as a consumer gets them, and as the sources tell them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple, cast

from confluent_kafka import Consumer, KafkaException, TopicPartition
from jsonschema import Draft202012Validator, FormatChecker

from ledger.approvals.approvals import TariffApprovals
from ledger.database import connect
from ledger.log.kafka.cluster import KafkaCluster
from projections.publishing.event_kinds import EVENT_TYPES, kind_of_event
from projections.publishing.event_types import DecisionEvent
from projections.publishing.making import encode_event
from projections.publishing.schemas import event_schema
from projections.publishing.sources import EventSource, FeedSource, TariffSource, advance

NAMES = ("fleet ltd", "a resident", "ann", "seen on the meter", "anna", "ben", "too dear")
"""Of customers and staff, and what staff wrote."""


class ReadEvent(NamedTuple):
    """A message of the topic."""

    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    content: Any


def as_json(event: DecisionEvent) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(encode_event(event))


def assert_fit(events: list[DecisionEvent]) -> None:
    """Hold each event against the schema of its kind."""
    for event in events:
        schema = event_schema(EVENT_TYPES[kind_of_event(event)])
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(as_json(event))
        told = str(as_json(event)).lower()
        assert [name for name in NAMES if name in told] == []


@contextmanager
def sources_of(dsn: str) -> Iterator[Sequence[EventSource]]:
    with TariffApprovals(dsn) as approvals:
        yield FeedSource(), TariffSource(approvals)


def events_told(dsn: str) -> list[DecisionEvent]:
    """Return all that is to be published, and note that it was."""
    found: list[DecisionEvent] = []
    with sources_of(dsn) as sources, connect(dsn) as connection:
        for source in sources:
            while pages := list(source.pages(connection)):
                for page in pages:
                    found += page.events
                    assert advance(connection, page)
    return found


def read_topic(cluster: KafkaCluster, *, least: int = 0, seconds: float = 60) -> list[ReadEvent]:
    """Return all messages of the topic, in order of offset; wait until there are *least*."""
    settings = {"group.id": "tests", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10}
    limit = time.monotonic() + seconds
    with closing(Consumer(cluster.client(settings))) as consumer:
        count = 0
        while count < max(1, least):
            assert time.monotonic() < limit, f"{count} of {least} events came"
            time.sleep(0.1)
            with suppress(KafkaException):  # of a broker that just starts
                topic = consumer.list_topics(cluster.topic, timeout=30).topics[cluster.topic]
                spots = [TopicPartition(cluster.topic, each, 0) for each in topic.partitions]
                count = sum(consumer.get_watermark_offsets(spot, timeout=30)[1] for spot in spots)
        consumer.assign(spots)
        found: list[ReadEvent] = []
        while len(found) < count:
            for message in consumer.consume(500, 1.0):
                assert message.error() is None
                headers = cast("list[tuple[str, bytes]]", message.headers() or [])
                found.append(
                    ReadEvent(
                        partition=message.partition() or 0,
                        offset=message.offset() or 0,
                        key=(message.key() or b"").decode(),
                        headers={name: str(value, "utf-8") for name, value in headers},
                        content=json.loads(message.value() or b""),
                    )
                )
    return sorted(found, key=lambda event: event[:2])


def first_of_each(events: Sequence[ReadEvent]) -> list[ReadEvent]:
    """Return *events* as somebody takes them who knows which ids came before."""
    return list({event.content["id"]: event for event in reversed(events)}.values())[::-1]

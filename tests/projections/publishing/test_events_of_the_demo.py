"""A consumer with an ordinary JSON Schema library, beside the whole of the demo's month."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.topics import PROFILES, make_topic
from projections.publishing.event_kinds import EVENT_TYPES
from tests.projections.publishing.events_read import read_topic
from tests.projections.publishing.test_published_events import publish_all
from tests.tree import ROOT


@cache
def file_of(kind: str, version: int) -> Draft202012Validator:
    """Return what a consumer has: the file in docs/events, and nothing of ours."""
    path = ROOT / "docs" / "events" / f"{kind}.v{version}.json"
    schema: Any = json.loads(path.read_text("utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_every_event_of_the_demo_fits_the_schema_that_it_names(
    demo_copy: str, kafka: KafkaCluster
) -> None:
    make_topic(kafka, partitions=3, profile=PROFILES["development"])
    count = publish_all(demo_copy, kafka)

    events = read_topic(kafka, least=count)

    told = Counter(str(event.content["kind"]) for event in events)
    for event in events:
        assert event.headers["kind"] == event.content["kind"]
        assert event.headers["id"] == event.content["id"]
        file_of(event.content["kind"], event.content["schema"]).validate(event.content)
    assert len({event.content["id"] for event in events}) == len(events)
    assert told.keys() <= EVENT_TYPES.keys()
    assert told.keys() >= {
        "session.rated",
        "session.corrected",
        "session.held",
        "invoice.issued",
        "credit_note.issued",
        "money.moved",
    }
    wrong = {**events[0].content, "number": "7"}
    assert not file_of(wrong["kind"], wrong["schema"]).is_valid(wrong)

"""`wattledger log copy`: the books go on from the other store, and reach their old frames there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from deploy.cli import WRONG, run
from deploy.running.owner import sole_owner
from deploy.settings import NAMES
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import NewRecord, partition_of
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.postgres import PostgresEventLog
from tests.charging_day import PARTITIONS, at, choose, start16, stop16
from tests.ledger.worker.kafka.conftest import nothing_left_to_others
from tests.ledger.worker.kafka.test_worker_group import run_group
from tests.projections.books_of_a_day import books_of_a_day

__all__ = ["nothing_left_to_others"]

HELD = "CS-OLD-2/22/20260302T082000Z"
UP = ["log", "copy", "--from", "postgres", "--to", "kafka"]
DOWN = ["log", "copy", "--from", "kafka", "--to", "postgres"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A data folder whose settings are variables, and the cluster that they name."""

    data: Path
    kafka: KafkaCluster
    variables: pytest.MonkeyPatch

    def keep_log_in(self, store: str) -> None:
        self.variables.setenv("WATTLEDGER_LOG", store)


@pytest.fixture
def place(
    database: str, kafka: KafkaCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Books of the charging day, kept from a log in PostgreSQL."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    given = {
        "DATABASE_URL": database,
        "DATA": str(tmp_path),
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "KAFKA_TOPIC": kafka.topic,
        "KAFKA_DECISIONS_TOPIC": f"{kafka.topic}.decisions",
        "KAFKA_PROFILE": "development",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"WATTLEDGER_{name}", value)
    books_of_a_day(database, choose(HELD, "release", 300))
    return Place(data=tmp_path, kafka=kafka, variables=monkeypatch)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_after_the_copy_replay_finds_no_difference_and_explain_reaches_the_old_frames(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, *_] = json.loads(told(capsys, "invoices", "--json"))
    before = [told(capsys, "explain", first["number"]), told(capsys, "log", "export")]

    copied = json.loads(told(capsys, *UP, "--json"))

    assert copied["settings"] == {
        "log": "kafka",
        "partitions": PARTITIONS,
        "kafka_bootstrap": place.kafka.bootstrap,
        "kafka_topic": place.kafka.topic,
        "kafka_profile": "development",
    }
    assert (copied["from"], copied["to"], copied["found"]) == ("postgres", "kafka", 0)
    place.keep_log_in("kafka")
    place.variables.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    assert "decisions, as the profile" in told(capsys, "kafka", "check")  # both topics are there
    replayed = json.loads(told(capsys, "replay", "--check", "--json"))
    assert replayed["differences"] == 0
    assert replayed["compared_by_kind"]["decision"] == 8
    assert [told(capsys, "explain", first["number"]), told(capsys, "log", "export")] == before
    with KafkaEventLog(place.kafka) as log:
        assert sum(log.ends()) == copied["records"] > 20


async def test_the_books_go_on_in_kafka_and_replay_knows_old_and_new(
    database: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, *UP)
    place.keep_log_in("kafka")
    later = [start16("CS-OLD-1", 400, 31, "FLEET1", 8000), stop16("CS-OLD-1", 450, 31, 9500)]
    with KafkaEventLog(place.kafka) as log:
        for _, station, line in later:
            number = partition_of(station, partitions=PARTITIONS)
            log.append([NewRecord(number, [encode_line(line)])])
    await run_group(database, place.kafka, place.data)

    for workers in ("1", "2"):
        replayed = json.loads(told(capsys, "replay", "--check", "--json", "--workers", workers))
        assert (replayed["differences"], replayed["compared_by_kind"]["decision"]) == (0, 9)


SETTINGS_BEFORE = [
    pytest.param(["invoices"], id="reads"),
    pytest.param(["apply", "examples/first-station.yaml"], id="declares"),
    pytest.param(["up"], id="up"),
    pytest.param(["run", "worker"], id="a process"),
    pytest.param(["run", "stations"], id="another"),
]


@pytest.mark.parametrize("arguments", SETTINGS_BEFORE)
def test_with_the_settings_of_before_the_copy_everything_is_refused_with_what_to_set(
    database: str, place: Place, capsys: pytest.CaptureFixture[str], *, arguments: list[str]
) -> None:
    place.variables.setenv("WATTLEDGER_METRICS_PORT", "-1")
    told(capsys, *UP)
    with PostgresEventLog(database) as log:
        ends = list(log.ends())

        assert run(arguments) == WRONG

        assert f'set log = "kafka" and kafka_topic = "{place.kafka.topic}"' in (
            capsys.readouterr().err
        )
        assert list(log.ends()) == ends


def test_a_copy_back_is_the_way_back(
    database: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, *UP)
    place.keep_log_in("kafka")
    with KafkaEventLog(place.kafka) as log:
        log.append([NewRecord(0, [encode_line(Tick(received_at=at(2_000)))])])

    copied = json.loads(told(capsys, *DOWN, "--json"))

    assert copied["records"] == copied["found"] + 1
    assert run(["invoices"]) == WRONG
    assert "wattledger log copy --from postgres --to kafka" in capsys.readouterr().err
    place.keep_log_in("postgres")
    assert told(capsys, "invoices")
    with PostgresEventLog(database) as log:
        log.append([NewRecord(0, [encode_line(Tick(received_at=at(2_001)))])])


def test_no_past_log_is_copied_over_the_one_in_use(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, *UP)
    place.variables.setenv("WATTLEDGER_KAFKA_TOPIC", f"{place.kafka.topic}.other")

    for way in (UP, DOWN):
        assert run(way) == WRONG
        assert f'kafka_topic = "{place.kafka.topic}"' in capsys.readouterr().err


def test_a_second_copy_finds_all_there_and_says_what_to_set(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads(told(capsys, *UP, "--json"))["records"]

    said = told(capsys, *UP)

    assert f"({records} were there before)" in said
    assert 'log = "kafka"' in said
    assert f"partitions = {PARTITIONS}" in said
    assert f'kafka_topic = "{place.kafka.topic}"' in said
    place.keep_log_in("kafka")
    assert 'log = "postgres"' in told(capsys, *DOWN)


def test_a_topic_that_could_lose_something_is_refused_and_stays_empty(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.keep_log_in("kafka")
    place.variables.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    told(capsys, "kafka", "init")
    admin = AdminClient(place.kafka.client())
    change = ConfigEntry("retention.ms", "86400000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, place.kafka.topic, incremental_configs=[change])
    admin.incremental_alter_configs([topic])[topic].result(60)
    place.keep_log_in("postgres")

    assert run(UP) == WRONG

    assert "retention.ms is 86400000, not -1" in capsys.readouterr().err
    with KafkaEventLog(place.kafka) as log:
        assert sum(log.ends()) == 0


def test_nothing_is_copied_while_a_system_is_up(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with sole_owner(place.data):
        assert run(UP) == WRONG

    assert "already served" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([*UP[:-1], "postgres"], "say two stores", id="one store"),
        pytest.param(UP, "kafka_bootstrap must be", id="no cluster"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    place: Place, capsys: pytest.CaptureFixture[str], *, arguments: list[str], said: str
) -> None:
    place.variables.delenv("WATTLEDGER_KAFKA_BOOTSTRAP")

    assert run(arguments) == WRONG

    assert said in capsys.readouterr().err

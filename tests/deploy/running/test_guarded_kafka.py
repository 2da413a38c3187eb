"""TLS and SASL against a real broker: one set of settings for both clients, and clear refusals."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from deploy.cli import WRONG, run
from deploy.running.log_store import (
    decisions_cluster,
    kafka_cluster,
    open_event_log,
    open_line_writer,
)
from deploy.settings import NAMES, Settings
from ledger.log.event_log import NewRecord
from ledger.log.kafka import access
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.publisher import KafkaPublisher, KeyedMessage
from tests.certificates import Authority
from tests.charging_day import PARTITIONS, charging_day, declare_fleet, write_log
from tests.deploy.running.guarded_brokers import PASSWORD, USER, GuardedBrokers
from tests.ledger.worker.kafka.test_worker_group import records_of, run_group
from tests.ledger.worker.test_worker import consequences, new_schema, work
from tests.tree import ROOT

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where certificates are, those of `ours` and of `theirs`."""
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def brokers(own_brokers: None, folder: Path) -> Iterator[GuardedBrokers]:
    """A broker that knows our user and our authority."""
    del own_brokers
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    for authority in (ours, theirs):
        authority.issue("me")
    ours.issue("locked", password="a word")
    with GuardedBrokers(folder / "kafka", ours) as running:
        yield running


@pytest.fixture
def known(brokers: GuardedBrokers) -> Mapping[str, str]:
    """The settings of a new log in which our user and our certificate have their rights."""
    prefix = f"watt{next(NUMBERS)}."
    brokers.let_in(prefix)
    return {
        "log": "kafka",
        "kafka_topic": f"{prefix}log",
        "kafka_decisions_topic": f"{prefix}decisions",
        "kafka_profile": "development",
        "partitions": str(PARTITIONS),
    }


def by_sasl(brokers: GuardedBrokers, folder: Path, mechanism: str) -> dict[str, str]:
    return {
        "kafka_bootstrap": brokers.sasl,
        "kafka_ca_file": str(folder / "ours/ca.pem"),
        "kafka_sasl_mechanism": mechanism,
        "kafka_sasl_user": USER,
        "kafka_sasl_password": PASSWORD,
    }


def by_certificate(brokers: GuardedBrokers, folder: Path) -> dict[str, str]:
    return {
        "kafka_bootstrap": brokers.mutual,
        "kafka_ca_file": str(folder / "ours/ca.pem"),
        "kafka_certificate_file": str(folder / "ours/me.pem"),
        "kafka_key_file": str(folder / "ours/me.key"),
    }


def set_all(given: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"WATTLEDGER_{name.upper()}", value)


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "certificate"])
async def test_who_is_known_makes_a_log_writes_reads_works_it_off_and_publishes(
    database: str,
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    write_log(database, charging_day(declare_fleet(database)), lines_a_record=1)
    work(database, schema=new_schema(database, "expected"))
    as_known = by_certificate if way == "certificate" else by_sasl
    words = () if way == "certificate" else (way,)
    given = {**known, **as_known(brokers, folder, *words), "data": str(tmp_path)}
    set_all(given, monkeypatch)

    assert run(["kafka", "init"]) == 0
    assert run(["kafka", "check"]) == 0
    settings = Settings(
        **{**given, "partitions": PARTITIONS, "data": tmp_path}  # type: ignore[arg-type]
    )
    with closing(open_event_log(database, settings)) as log:
        log.append(records_of(database))
    await run_group(database, kafka_cluster(settings), tmp_path)
    assert consequences(database) == consequences(database, "expected")

    writer = await open_line_writer(database, settings)
    position = await writer.append(0, b"{}")
    await writer.close()
    with closing(open_event_log(database, settings)) as log:
        assert log.read(0, position.position, records=1)[0].payload == b"{}"
    publisher = KafkaPublisher(decisions_cluster(settings))
    publisher.send([KeyedMessage(b"session", b"{}", [])])
    assert publisher.settle(20)


SASL_SETTINGS = "kafka_sasl_mechanism, kafka_sasl_user and kafka_sasl_password"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"kafka_sasl_password": "guessed"},
            f"{SASL_SETTINGS} must be what the brokers have",
            id="a wrong password",
        ),
        pytest.param(
            {"kafka_sasl_password": "guessed", "kafka_sasl_mechanism": "PLAIN"},
            f"{SASL_SETTINGS} must be what the brokers have",
            id="a wrong password sent as it is",
        ),
        pytest.param({"kafka_ca_file": "theirs/ca.pem"}, "kafka_ca_file must hold", id="wrong CA"),
        pytest.param(
            {"kafka_ca_file": "none.pem"}, "none.pem as kafka_ca_file: No such", id="no CA file"
        ),
        pytest.param(
            {"kafka_ca_file": "ours/me.key"}, "ours/me.key as kafka_ca_file: [", id="a key as CA"
        ),
        pytest.param(
            {"kafka_ca_file": ""}, "they get is SASL_PLAINTEXT. Set kafka_ca_file", id="no TLS"
        ),
        pytest.param(
            {"kafka_sasl_mechanism": "", "kafka_sasl_user": "", "kafka_sasl_password": ""},
            f"they get is SSL. Set kafka_ca_file for TLS; {SASL_SETTINGS}",
            id="no SASL",
        ),
        pytest.param(
            {"kafka_bootstrap": "plain"}, "name its TLS port in kafka_bootstrap", id="a plain port"
        ),
        pytest.param({"kafka_sasl_user": ""}, "kafka_sasl_user must be set", id="no name"),
    ],
)
def test_who_does_not_prove_who_he_is_by_sasl_is_told_what_to_set_and_no_password(
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, str],
    said: str,
) -> None:
    given = {**known, **by_sasl(brokers, folder, "SCRAM-SHA-512"), **changed}
    refuse_quickly(monkeypatch)
    set_all(placed(given, brokers, folder), monkeypatch)

    for command in ("init", "check"):
        assert run(["kafka", command]) == WRONG
        told = capsys.readouterr()
        assert said in told.err
        assert told.out == ""
        assert given["kafka_sasl_password"] not in told.err or not given["kafka_sasl_password"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"kafka_certificate_file": "", "kafka_key_file": ""},
            "it does not take our certificate",
            id="none",
        ),
        pytest.param(
            {"kafka_certificate_file": "theirs/me.pem", "kafka_key_file": "theirs/me.key"},
            "it does not take our certificate",
            id="a stranger's",
        ),
        pytest.param(
            {"kafka_certificate_file": "ours/locked.pem", "kafka_key_file": "ours/locked.key"},
            "locked.key as kafka_key_file: it is encrypted",
            id="an encrypted key",
        ),
        pytest.param({"kafka_key_file": "theirs/me.key"}, "mismatch", id="another one's key"),
        pytest.param({"kafka_key_file": ""}, "kafka_key_file must be set", id="no key"),
        pytest.param({"kafka_ca_file": ""}, "kafka_ca_file must be set", id="no TLS at all"),
    ],
)
def test_who_does_not_show_a_certificate_that_is_known_is_told_what_to_set(
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, str],
    said: str,
) -> None:
    refuse_quickly(monkeypatch)
    given = {**known, **by_certificate(brokers, folder), **changed}
    set_all(placed(given, brokers, folder), monkeypatch)

    assert run(["kafka", "init"]) == WRONG

    assert said in capsys.readouterr().err


def test_where_one_broker_refuses_and_another_lets_us_in_we_are_in(
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = by_sasl(brokers, folder, "SCRAM-SHA-512")
    both = f"{brokers.mutual},{brokers.sasl}"
    set_all({**known, **given, "kafka_bootstrap": both}, monkeypatch)

    assert run(["kafka", "init"]) == 0


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda log: log.read(0, 0, records=1), id="who reads"),
        pytest.param(lambda log: log.read_at(0, [0]), id="who reads here and there"),
        pytest.param(lambda log: log.ends(), id="who asks for its end"),
        pytest.param(lambda log: log.append([NewRecord(0, [b"{}"])]), id="who adds"),
    ],
)
def test_whatever_is_asked_of_the_log_first_says_who_is_not_let_in(
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[KafkaEventLog], object],
) -> None:
    refuse_quickly(monkeypatch)
    cluster = KafkaCluster(
        bootstrap=brokers.sasl,
        topic=known["kafka_topic"],
        ca_file=str(folder / "ours/ca.pem"),
        sasl_mechanism="PLAIN",
        sasl_user=USER,
        sasl_password="guessed",
    )

    with KafkaEventLog(cluster) as log, pytest.raises(access.KafkaRefusedError):
        ask(log)


@pytest.mark.parametrize("part", ["worker", "stations", "projections", "invoicing", "roaming"])
def test_a_process_that_is_not_let_in_ends_with_words_and_no_password(
    database: str,
    brokers: GuardedBrokers,
    known: Mapping[str, str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    given = {**by_sasl(brokers, folder, "SCRAM-SHA-512"), "kafka_sasl_password": "guessed-it"}
    there = {"data": str(tmp_path), "database_url": database, "metrics_port": "0"}
    ports = {"listen_port": "0", "roaming_port": "0"}
    set_all({**known, **given, **there, **ports}, monkeypatch)

    done = subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", "run", part],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == WRONG
    assert f"{SASL_SETTINGS} must be what the brokers have" in done.stderr
    assert "Traceback" not in done.stderr
    assert "guessed-it" not in done.stdout + done.stderr


def placed(given: Mapping[str, str], brokers: GuardedBrokers, folder: Path) -> dict[str, str]:
    """Return *given* with its files in *folder*, and `plain` as the broker's plain port."""
    files = {
        name: str(folder / value)
        for name, value in given.items()
        if name.endswith("_file") and value
    }
    found = {**given, **files}
    if given["kafka_bootstrap"] == "plain":
        found["kafka_bootstrap"] = brokers.bootstrap
    return found


def refuse_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REFUSED_SECONDS", 1.0)
    monkeypatch.setattr(access, "REQUEST_SECONDS", 2.0)

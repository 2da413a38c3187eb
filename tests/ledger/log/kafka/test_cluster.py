"""How a client connects and who it is; what it complains of comes seldom."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError

from ledger.log.kafka import cluster
from ledger.log.kafka.cluster import FewComplaints, KafkaCluster, is_passing


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"ca_file": "ca.pem"}, "SSL"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, "SASL_PLAINTEXT"),
        ({"sasl_mechanism": "PLAIN", "ca_file": "ca.pem"}, "SASL_SSL"),
    ],
)
def test_tls_and_sasl_follow_from_what_is_given(given: dict[str, str], protocol: str) -> None:
    assert KafkaCluster(bootstrap="a:1", **given).client()["security.protocol"] == protocol


def test_a_client_gets_what_was_given_and_nothing_else() -> None:
    plain = KafkaCluster(bootstrap="a:1,b:2").client({"acks": "all"})
    named = KafkaCluster(
        bootstrap="a:1", ca_file="ca", certificate_file="c", key_file="k",
        sasl_mechanism="PLAIN", sasl_user="u", sasl_password="p",
    ).client()  # fmt: skip

    assert plain["bootstrap.servers"] == "a:1,b:2"
    assert plain["acks"] == "all"
    assert not [key for key in plain if key.startswith(("ssl.", "sasl."))]
    found = {key: named[key] for key in named if key.startswith(("ssl.", "sasl."))}
    assert found == {
        "ssl.ca.location": "ca",
        "ssl.certificate.location": "c",
        "ssl.key.location": "k",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "p",
    }


def test_no_secret_is_shown() -> None:
    shown = repr(KafkaCluster(bootstrap="a:1", sasl_mechanism="PLAIN", sasl_password="hidden"))

    assert shown == "KafkaCluster(a:1, wattledger.log)"


def complaint(kind: str) -> logging.LogRecord:
    return logging.LogRecord("kafka", logging.WARNING, "", 0, kind, (), None)


def test_a_complaint_comes_once_in_a_while_with_how_many_were_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("ledger.log.kafka.cluster.time.monotonic", lambda: now[0])
    few = FewComplaints()

    passed = [few.filter(complaint("FAIL broker 1")) for _ in range(500)]
    other = few.filter(complaint("FAIL broker 2"))
    now[0] += cluster.COMPLAINT_SECONDS - 0.01
    early = few.filter(complaint("FAIL broker 1"))
    now[0] += 0.01
    late = complaint("FAIL broker 1")

    assert passed == [True] + [False] * 499
    assert (other, early) == (True, False)
    assert few.filter(late)
    assert late.msg == "FAIL broker 1 (500 more like it)"


def test_complaints_of_ever_new_kinds_take_bounded_memory() -> None:
    few = FewComplaints()

    assert all(few.filter(complaint(f"{n} is new")) for n in range(5_000))
    assert len(few._last) <= 101  # noqa: SLF001 - it is what must not grow


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (KafkaError.NOT_LEADER_FOR_PARTITION, True),
        (KafkaError._TRANSPORT, True),  # noqa: SLF001 - the library's name, as the next two
        (KafkaError._UNKNOWN_PARTITION, True),  # noqa: SLF001
        (KafkaError._DESTROY_BROKER, True),  # noqa: SLF001
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, False),
        (KafkaError.OFFSET_OUT_OF_RANGE, False),
        (KafkaError.SASL_AUTHENTICATION_FAILED, False),
    ],
)
def test_what_another_try_may_mend_is_told_from_what_it_will_not(
    code: int, *, passes: bool
) -> None:
    assert is_passing(KafkaError(code)) is passes

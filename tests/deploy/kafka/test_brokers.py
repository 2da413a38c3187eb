"""Brokers that we start ourselves."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kafka.brokers import KafkaBrokers
from tests.tree import ROOT


@pytest.mark.usefixtures("own_brokers")
def test_a_clusters_id_may_begin_with_a_hyphen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda count: b"\xf8" * count)
    with KafkaBrokers(tmp_path) as brokers:
        assert "cluster.id=-Pj4" in (tmp_path / "broker-1/log/meta.properties").read_text()
        assert brokers.numbers


def test_a_cluster_that_is_named_serves_the_tests_and_is_no_setting_of_commands(
    kafka_bootstrap: str,
) -> None:
    chosen = "tests/deploy/running/test_publishing_part.py::test_both_topics_are_made_and_checked"

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", chosen],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "WATTLEDGER_TEST_KAFKA": kafka_bootstrap},
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr

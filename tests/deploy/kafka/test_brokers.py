"""Brokers that we start ourselves."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from deploy.kafka.brokers import KafkaBrokers


@pytest.mark.usefixtures("own_brokers")
def test_a_clusters_id_may_begin_with_a_hyphen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda count: b"\xf8" * count)
    with KafkaBrokers(tmp_path) as brokers:
        assert "cluster.id=-Pj4" in (tmp_path / "broker-1/log/meta.properties").read_text()
        assert brokers.numbers

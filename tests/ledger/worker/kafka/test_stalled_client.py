"""Faust may hand over no more, and say nothing: what the log has is decided all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.worker.kafka import faust_app
from tests.ledger.worker.kafka.test_group_ends import apps_of, group_of
from tests.ledger.worker.kafka.test_worker_group import day, is_done, log, records_of, until
from tests.ledger.worker.test_worker import consequences

__all__ = ["day", "log"]


async def test_what_is_not_handed_over_is_read_from_kafka(
    day: str,
    log: KafkaEventLog,
    kafka: KafkaCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(faust_app, "OVERDUE_SECONDS", 0.5)
    group = group_of(day, kafka, tmp_path)
    apps = apps_of(group, monkeypatch)
    records = records_of(day)
    half, stop = len(records) // 2, asyncio.Event()
    running = asyncio.create_task(group.run(stop, lambda: None))
    log.append(records[:half])
    await asyncio.to_thread(until, lambda: is_done(day, log))
    apps[0].consumer.stop_flow()
    log.append(records[half:])
    await asyncio.to_thread(until, lambda: is_done(day, log))
    stop.set()
    await asyncio.wait_for(running, 60)

    assert consequences(day) == consequences(day, "expected")
    assert "nothing was handed over, so Kafka is read" in caplog.text

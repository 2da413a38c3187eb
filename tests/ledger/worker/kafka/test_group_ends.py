"""How a group's process ends: when it is told to, within a turn, and when Faust does by itself."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest.facts.translate import translate
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.worker.kafka.faust_app import WorkerGroup, WorkerGroupError
from ledger.worker.worker import Worker
from tests.ledger.worker.kafka.group_process import start_worker
from tests.ledger.worker.kafka.test_turns_of_a_group import FOLLOWS
from tests.ledger.worker.kafka.test_worker_group import SESSION_SECONDS, day, log, records_of, until
from tests.ledger.worker.test_worker import rows

__all__ = ["day", "log"]


def group_of(dsn: str, kafka: KafkaCluster, folder: Path) -> WorkerGroup:
    named = make_conninfo(dsn, application_name="follows")
    return WorkerGroup(
        named, cluster=kafka, translate=translate, folder=folder, session_seconds=SESSION_SECONDS
    )


def apps_of(group: WorkerGroup, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what will hold the app that *group* makes, for what is done behind its back."""
    apps, app_of = list[Any](), group._app  # noqa: SLF001 - Faust is the group's alone

    def noted(partitions: int) -> Any:  # noqa: ANN401 - Faust's
        apps.append(app_of(partitions))
        return apps[0]

    monkeypatch.setattr(group, "_app", noted)
    return apps


def is_let_go(dsn: str) -> bool:
    """Whether nobody is connected in a while, and no task of the group goes on."""
    names = {getattr(each.get_coro(), "__name__", "") for each in asyncio.all_tasks()}
    for _ in range(3000):
        if rows(dsn, FOLLOWS) == [(0,)]:
            return "_look_after_resting" not in names
        time.sleep(0.02)
    return False


async def test_who_is_stopped_within_a_turn_ends_it_and_did_not_fail(
    day: str,
    log: KafkaEventLog,
    kafka: KafkaCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, stop, ready = threading.Event(), asyncio.Event(), list[bool]()
    take_turns = Worker.take_turns

    def slow(worker: Worker) -> int:
        entered.set()
        time.sleep(0.5)
        return take_turns(worker)

    monkeypatch.setattr(Worker, "take_turns", slow)
    log.append(records_of(day)[:6])
    group = group_of(day, kafka, tmp_path)
    running = asyncio.create_task(group.run(stop, lambda: ready.append(True)))
    assert await asyncio.to_thread(entered.wait, 60)
    stop.set()
    await asyncio.wait_for(running, 60)

    assert ready == [True]
    assert rows(day, "SELECT sum(next_position) > 0 FROM worker_position") == [(True,)]
    assert is_let_go(day)


async def test_a_group_whose_faust_ended_by_itself_says_so(
    day: str,
    log: KafkaEventLog,
    kafka: KafkaCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log.append(records_of(day)[:3])
    group = group_of(day, kafka, tmp_path)
    apps = apps_of(group, monkeypatch)
    ready = asyncio.Event()
    running = asyncio.create_task(group.run(asyncio.Event(), ready.set))
    await asyncio.wait_for(ready.wait(), 60)
    await apps[0].stop()

    with pytest.raises(WorkerGroupError, match="Faust ended by itself"):
        await asyncio.wait_for(running, 60)
    assert is_let_go(day)


async def test_what_fails_in_a_turn_ends_the_group_with_that_error(
    day: str,
    log: KafkaEventLog,
    kafka: KafkaCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: Worker) -> int:
        raise psycopg.errors.AdminShutdown

    monkeypatch.setattr(Worker, "take_turns", fail)
    log.append(records_of(day)[:3])
    group = group_of(day, kafka, tmp_path)
    running = asyncio.create_task(group.run(asyncio.Event(), lambda: None))

    with pytest.raises(psycopg.errors.AdminShutdown):
        await asyncio.wait_for(running, 60)
    assert is_let_go(day)


def test_a_process_whose_faust_does_not_end_ends_all_the_same(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    del log  # its topic is there
    (tmp_path / "hang").touch()
    process = start_worker(day, kafka, tmp_path, session_seconds=SESSION_SECONDS)
    try:
        until(lambda: "partitions assigned" in (tmp_path / "log").read_text("utf-8"))
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()

    assert "did not end by itself" in (tmp_path / "log").read_text("utf-8")

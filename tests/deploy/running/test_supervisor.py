"""The parts of a running system come back when they are killed, and end when they are told to."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.clock import SystemClock
from deploy.commands.running.serving import welcome
from deploy.running import supervisor
from deploy.running.owner import AlreadyUpError, is_up
from deploy.running.wiring import PARTS, System
from deploy.settings import Settings


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    settings = Settings(data=tmp_path / "data", listen_port=0, metrics_port=0, partitions=2)
    with System(settings, SystemClock()) as system:
        yield system


def until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit
        threading.Event().wait(0.05)


def answers(address: str) -> bool:
    async def knock() -> bool:
        try:
            await connect(f"{address}/nobody")
        except InvalidStatus as refused:
            return refused.response.status_code == 401
        except OSError:
            return False
        return False

    return asyncio.run(knock())


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_killed_part_is_started_again(system: System, part: str) -> None:
    before = system.supervisor.processes()[part]

    os.kill(before, signal.SIGKILL)

    until(lambda: system.supervisor.processes()[part] not in {before, 0})
    until(lambda: answers(system.addresses[0]))


def test_a_restarted_server_listens_where_stations_look_for_it(system: System) -> None:
    address = system.addresses[0]

    os.kill(system.supervisor.processes()["stations"], signal.SIGKILL)

    until(lambda: system.supervisor.restarts == 1)
    until(lambda: answers(address))
    assert system.addresses[0] == address


def test_a_folder_is_served_by_one_system_only(system: System) -> None:
    assert is_up(system.settings)
    with pytest.raises(AlreadyUpError), System(system.settings, SystemClock()):
        pass


def test_the_database_s_address_is_said_where_it_is_embedded(system: System) -> None:
    said = welcome(system, system.settings.data)

    assert f"Database, for psql and pg_dump: {system.dsn}\n" in said
    system.settings = replace(system.settings, database_url="postgresql://me:secret@db/books")
    assert "psql" not in welcome(system, system.settings.data)


def test_a_part_that_is_late_is_named_and_is_not_said_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_SECONDS_MAX", 0.0)
    settings = Settings(data=tmp_path / "data", listen_port=0, metrics_port=0, partitions=2)

    with (
        pytest.raises(supervisor.PartLateError, match="was not ready within 0 s, and did not fail"),
        System(settings, SystemClock()),
    ):
        pass

    assert not is_up(settings)


def test_nothing_is_left_running(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", listen_port=0, metrics_port=0, partitions=2)

    with System(settings, SystemClock()) as system:
        pids = list(system.supervisor.processes().values())

    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert not is_up(settings)

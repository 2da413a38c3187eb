"""A worker of a group as a process of its own, for tests that kill it: `main` runs it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import faust

from deploy.running.parts import end_in_a_while
from ingest.facts.translate import translate
from ledger.log.kafka.cluster import KafkaCluster
from ledger.worker.kafka import faust_app
from ledger.worker.kafka.faust_app import WorkerGroup
from tests.tree import ROOT

END_SECONDS_MAX: Final = 15.0
"""More than the group waits for Faust."""


def start_worker(
    dsn: str, kafka: KafkaCluster, folder: Path, *, session_seconds: float, lot: int = 0
) -> subprocess.Popen[bytes]:
    """Start a process; it logs to *folder*/log and ends with SIGTERM.

    Where more than twice *lot* records wait, it reads them itself; 0: as usual.

    While there is a file *folder*/stall, it stands still within a turn, and says so with *stalled*.
    Where there is a file *folder*/hang at its start, Faust's end hangs.
    """
    folder.mkdir(exist_ok=True)
    words = [dsn, kafka.bootstrap, kafka.topic, str(folder), str(session_seconds), str(lot)]
    with (folder / "log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.worker.kafka.group_process", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )


def stalling(folder: Path, fact: Callable[..., Any]) -> Callable[..., Any]:
    def translate_or_stall(*given: object, **named: object) -> Any:  # noqa: ANN401 - passed on
        while (folder / "stall").exists():
            (folder / "stalled").touch()
            time.sleep(0.05)
        return fact(*given, **named)

    return translate_or_stall


async def hanging(_app: faust.App) -> None:
    """Never end, whoever cancels it."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def main(dsn: str, bootstrap: str, topic: str, folder: str, session: str, lot: str) -> None:
    if int(lot):
        faust_app.TAKEN_AT_ONCE = faust_app.SKIPPED_MIN = int(lot)  # type: ignore[misc]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if (Path(folder) / "hang").exists():
        faust.App.stop = hanging  # type: ignore[method-assign, assignment]
    group = WorkerGroup(
        dsn,
        cluster=KafkaCluster(bootstrap=bootstrap, topic=topic),
        translate=stalling(Path(folder), translate),
        folder=Path(folder) / "faust",
        session_seconds=float(session),
        turn_seconds=8,
        ending=partial(end_in_a_while, END_SECONDS_MAX),
    )
    await group.run(stop, lambda: None)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:]))

"""`history_growth`, `history_memory`: what a line costs with ever more lines behind it.

The load of `worker_full_mix` (every session ends and is rated), worked off by one worker process.
Measured where 10^4, 10^5 and so on lines lie behind: the processor time of the next lines, of the
worker and all of PostgreSQL, and the memory that is the worker's alone. Both should be flat. What
else this machine does makes a line dearer too: so beside each measure a fresh worker takes as many
lines with nothing behind, and the costs are compared as shares of that.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from bench.peers.servers import memory_kib
from bench.peers.worked_log import (
    cpu_seconds,
    declare,
    empty_log,
    fill,
    new_books,
    worked_off,
)
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker

_LINES_A_RECORD: Final = 100
_FIRST: Final = 10_000
_GROUP_RECORDS: Final = 44
"""Half of the records in which each station has one session: so each measure has as many ends."""
_MEASURED: Final = 10 * _GROUP_RECORDS * _LINES_A_RECORD
"""Lines that are measured where so many lie behind."""


class _Done(NamedTuple):
    """What a worker process has done so far: its lines, processor time and memory."""

    lines: int
    cpu: float
    memory_kib: float


class _Mark(NamedTuple):
    """What a line costs with so many lines behind it, and the worker's memory by then."""

    behind: int
    line_us: float
    fresh_us: float
    memory_mib: float


def rows(_seconds: float, lines: int = 1_000_000) -> list[Row]:
    """Measure up to *lines* behind."""
    depths = [_FIRST]
    while depths[-1] * 10 <= lines:
        depths.append(depths[-1] * 10)
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)))
        fill(postgres, mixed(depths[-1] + 2 * _MEASURED), lines_a_record=_LINES_A_RECORD)
        new_books(postgres, "books")
        marks = list(_marks(postgres, depths))
    first, last = marks[0], marks[-1]
    behind = ", ".join(f"{each.behind:,}" for each in marks)
    costs = ", ".join(f"{each.line_us:.0f} ({each.fresh_us:.0f})" for each in marks)
    memory = ", ".join(f"{each.memory_mib:.0f}" for each in marks)
    return [
        beside(
            "history_growth",
            (last.line_us / last.fresh_us) / (first.line_us / first.fresh_us),
            f"times the CPU time of a line: {costs} us (nothing behind) with {behind} behind",
            "flat",
            1.0,
            is_cost=True,
        ),
        beside(
            "history_memory",
            last.memory_mib / first.memory_mib,
            f"times the worker's memory: {memory} MiB with {behind} lines behind",
            "flat",
            1.0,
            is_cost=True,
        ),
    ]


def _marks(postgres: EmbeddedPostgres, depths: list[int]) -> Iterator[_Mark]:
    with _working(postgres.dsn) as pipe:
        done, waiting = _Done(0, 0.0, 0.0), [*depths]
        server = cpu_seconds(postgres) - time.process_time()
        begun: tuple[_Done, float] | None = None
        while waiting:
            pipe.send(True)
            done = _Done(*pipe.recv())
            if begun is None and done.lines < waiting[0]:
                continue
            server = cpu_seconds(postgres) - time.process_time()
            if begun is None:
                begun = done, server
            elif done.lines >= begun[0].lines + _MEASURED:
                before, server_before = begun
                spent = done.cpu - before.cpu + server - server_before
                line_us = 1e6 * spent / (done.lines - before.lines)
                yield _Mark(waiting.pop(0), line_us, _fresh_us(), before.memory_kib / 1024)
                begun = None


def _fresh_us() -> float:
    """Return what a line costs right now with nothing behind."""
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)))
        fill(postgres, mixed(_MEASURED), lines_a_record=_LINES_A_RECORD)
        lines, spent = worked_off(postgres, "books")
        return 1e6 * spent / lines


@contextmanager
def _working(dsn: str) -> Iterator[Connection]:
    """Yield the pipe to a worker process: it takes one group of records each time it is told to."""
    ours, theirs = multiprocessing.Pipe()
    # Not forked: its memory would be shared with ours and not be counted.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_work, args=(dsn, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.close()
        theirs.close()
        process.join()


def _work(dsn: str, pipe: Connection) -> None:
    lines = 0
    with (
        PostgresEventLog(dsn) as log,
        Worker(
            dsn, log=log, partitions=[0], translate=translate, group_records=_GROUP_RECORDS
        ) as worker,
    ):
        try:
            while pipe.recv():
                lines += worker.run_once()
                pipe.send(_Done(lines, time.process_time(), memory_kib()))
        except EOFError:
            return  # it has seen enough

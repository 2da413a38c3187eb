"""A replay by several processes: each takes a partition, works it off, and takes the next one.

All write into one scratch schema: what they write is told apart by partition, station and session.
Whatever a process meets is told here, and ends the others; one that is killed is seen by its pipe.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, NamedTuple, cast

from deploy.errors import DeployError
from deploy.running.parts import end_with_parent
from ledger.log.event_log import EventLog
from projections.replay.refilling import NewWorker, Progress, steps

OpenLog = Callable[[], EventLog]
END_SECONDS_MAX: Final = 10.0


class ReplayProcessError(DeployError):
    """A process of a replay failed, or was ended by somebody."""

    def __init__(self, partition: int, why: str) -> None:
        self.partition, self.why = partition, why
        super().__init__(
            f"partition {partition} was not replayed: {why} (--workers 1 does all in one process)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What each process is given, pickled; the log it opens for itself."""

    dsn: str
    open_log: OpenLog
    new_worker: NewWorker
    until: Mapping[int, int]
    schema: str


class _Step(NamedTuple):
    """What a process has done since the last time; whether its partition is finished."""

    records: int
    lines: int
    is_last: bool


class _Failure(NamedTuple):
    """Why a process ends, and where in the code."""

    why: str
    where: str


def refill_in_processes(
    dsn: str,
    open_log: OpenLog,
    new_worker: NewWorker,
    *,
    workers: int,
    until: Mapping[int, int],
    schema: str,
    progress: Progress | None,
) -> int:
    """Let *workers* processes take the partitions, the longest first (see `Refill`).

    Raises:
        ReplayProcessError: If one of them fails or ends.
    """
    waiting = sorted((each for each, end in until.items() if end), key=lambda each: until[each])
    task = _Task(dsn=dsn, open_log=open_log, new_worker=new_worker, until=until, schema=schema)
    hands: list[_Hand] = []
    try:
        hands += (_Hand(task) for _ in range(min(workers, len(waiting))))
        lines = _lead(hands, waiting, sum(until.values()), progress)
    except BaseException:
        for hand in hands:
            hand.process.terminate()
        raise
    finally:
        for hand in hands:
            hand.end()
    return lines


def _lead(hands: Sequence[_Hand], waiting: list[int], total: int, progress: Progress | None) -> int:
    """Deal out the partitions, the last one of *waiting* first, until all are done."""
    busy: dict[object, _Hand] = {hand.pipe: hand for hand in hands}
    records = lines = 0
    for hand in hands:
        hand.take(waiting.pop())
    while busy:
        for pipe in wait([hand.pipe for hand in busy.values()]):
            hand = busy[pipe]
            step = hand.hear()
            records, lines = records + step.records, lines + step.lines
            if progress is not None:
                progress(records, total, lines)
            if step.is_last and waiting:
                hand.take(waiting.pop())
            elif step.is_last:
                del busy[pipe]
    return lines


class _Hand:
    """One process, and the pipe to it."""

    def __init__(self, task: _Task) -> None:
        # Not fork: a child would inherit open connections, and locks of Kafka's threads.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_be_hand, args=(theirs, task), name="replay", daemon=True
        )
        self.process.start()
        # Ours would keep the pipe open, and the end of the process would not be seen on it.
        theirs.close()
        self.partition = -1

    def take(self, partition: int) -> None:
        """Have it work off *partition*."""
        self.partition = partition
        with suppress(OSError):  # it is gone: `hear` says so
            self.pipe.send(partition)

    def hear(self) -> _Step:
        """Return what it has done.

        Raises:
            ReplayProcessError: If it failed or is gone.
        """
        try:
            said = cast("_Step | _Failure", self.pipe.recv())
        except (EOFError, OSError):
            self.process.join(END_SECONDS_MAX)
            why = f"its process ended with exit code {self.process.exitcode}"
            raise ReplayProcessError(self.partition, why) from None
        if isinstance(said, _Failure):
            error = ReplayProcessError(self.partition, said.why)
            error.add_note(said.where)
            raise error
        return said

    def end(self) -> None:
        """End it, however it is."""
        self.pipe.close()
        self.process.join(END_SECONDS_MAX)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _be_hand(pipe: Connection, task: _Task) -> None:
    """Be a process: work off the partitions that are named on *pipe*, until it is closed."""
    # Ctrl-C reaches the whole group: who leads ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        with closing(task.open_log()) as log:
            while True:
                _work_off(pipe, task, log, cast("int", pipe.recv()))
    except (EOFError, ConnectionError):
        return  # nobody leads any more
    except Exception as error:  # noqa: BLE001 - told to who leads, whatever it is
        with suppress(OSError):
            pipe.send(_Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _work_off(pipe: Connection, task: _Task, log: EventLog, partition: int) -> None:
    records = lines = 0
    until = {partition: task.until[partition]}
    for done in steps(task.dsn, log, task.new_worker, until=until, schema=task.schema):
        pipe.send(_Step(done[0] - records, done[1] - lines, is_last=False))
        records, lines = done
    pipe.send(_Step(0, 0, is_last=True))

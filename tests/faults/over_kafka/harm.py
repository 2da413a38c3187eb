"""What may go wrong under load, by kind: whom it hits, how long it lasts, and what mends it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ledger.log.event_log import NewRecord
from tests.faults.over_kafka.many_processes import PARTITIONS, ManyProcesses
from tests.faults.over_kafka.small_disk import Room
from tests.faults.running_system import kill_nine, wait_until

KINDS: Final = (
    "stations",
    "worker",
    "leader",
    "controller",
    "postgres",
    "invoicing",
    "slow",
    "cut_off",
    "storm",
    "away",
    "set_aside",
    "clocks",
    "kafka_full",
    "postgres_full",
)
OF_ROOM: Final = ("kafka_full", "postgres_full")


def kinds_with(*, disks: bool) -> Sequence[str]:
    """Return the kinds that this process can do; with *disks* it may mount some.

    Where root may not, as in a container, the database runs as somebody else, for whom root may set
    no limit there.
    """
    is_barred = not disks and os.geteuid() == 0
    return [kind for kind in KINDS if not (is_barred and kind == "postgres_full")]


SLOW_SECONDS: Final = 4.0
"""How long a broker stands still: longer than its session (3 s), so another one leads meanwhile."""
CUT_OFF_SECONDS: Final = 20.0
"""Much longer than that, and than a station waits: it comes back to a cluster that went on."""
AWAY_SECONDS: Final = 60.0
FULL_SECONDS: Final = 12.0
FILLING_SECONDS_MAX: Final = 40.0
STORM_ROUNDS: Final = 3
JUMPS_HOURS: Final = (-30, -1, 0, 1, 30)
"""How wrong a process's clock may be: by more than an open session may be silent (24 h) too."""
UNREADABLE: Final = b'{"type":"of no line that we know"}'


class Harm:
    """Does things to a system, and mends what does not mend itself."""

    def __init__(self, system: ManyProcesses, chance: random.Random) -> None:
        self._system, self._chance = system, chance
        self._timers: list[threading.Timer] = []
        self.unreadable = 0
        """How many lines were put into the log that nobody can read."""

    def do(self, kind: str) -> float:
        """Do what *kind* says; return from when on the system can get over it (monotonic)."""
        began = time.monotonic()
        brokers, database_room = self._system.brokers, self._system.database_room
        acts: Mapping[str, Callable[[], float | None]] = {
            "leader": self._kill_leader,
            "controller": lambda: brokers.kill(brokers.controller),
            "postgres": self._kill_postgres,
            "slow": lambda: self._let_stand_still(SLOW_SECONDS),
            "cut_off": lambda: self._let_stand_still(CUT_OFF_SECONDS),
            "storm": self._storm,
            "away": self._take_postgres_away,
            "set_aside": self._write_nonsense,
            "clocks": self._move_clocks,
            "kafka_full": self._fill_brokers,
            "postgres_full": lambda: self._fill(database_room),
        }
        return acts.get(kind, lambda: self._kill_a(kind))() or began

    def mend(self) -> None:
        """Set clocks right, start brokers again that ended, and wait until all have everything."""
        for process in self._system.processes.values():
            process.move_clock(0)
        for timer in self._timers:
            timer.join()
        self._timers.clear()
        brokers = self._system.brokers
        for number in brokers.ended():
            brokers.start(number)
        wait_until(self._system.is_in_sync, "all replicas are in sync", 90)

    def _kill_a(self, kind: str) -> None:
        names = [name for name in self._system.processes if kind in name]
        self._system.processes[self._chance.choice(names)].running.kill()

    def _kill_leader(self) -> None:
        """Kill a broker that leads a partition and is not the controller, if there is one."""
        leaders, brokers = self._system.leaders(), self._system.brokers
        brokers.kill(self._chance.choice(sorted(leaders - {brokers.controller} or leaders)))

    def _kill_postgres(self) -> None:
        kill_nine(self._system.database.processes() - {0})

    def _let_stand_still(self, seconds: float) -> None:
        brokers = self._system.brokers
        number = self._chance.choice(brokers.numbers)
        brokers.pause(number)
        self._later(seconds, lambda: brokers.resume(number))

    def _take_postgres_away(self) -> None:
        self._system.keeps_database = False
        self._kill_postgres()
        self._later(AWAY_SECONDS, lambda: setattr(self._system, "keeps_database", True))

    def _storm(self) -> None:
        for _ in range(STORM_ROUNDS):
            for name, process in self._system.processes.items():
                if "worker" in name:
                    process.running.terminate()
                    time.sleep(self._chance.uniform(0.5, 1.5))

    def _fill_brokers(self) -> float:
        made_room_at = self._fill(self._system.brokers_room)
        ended = self._system.brokers.ended()
        assert ended, "no broker ended without room"
        for number in ended:
            self._system.brokers.start(number)
        return made_room_at

    def _fill(self, room: Room) -> float:
        """Let *room* be full for a while; return when there was some again."""
        room.fill()
        wait_until(lambda: room.is_full, "the room is full", FILLING_SECONDS_MAX)
        time.sleep(FULL_SECONDS)
        room.make_room()
        return time.monotonic()

    def _write_nonsense(self) -> None:
        """Put a line that nobody can read into each partition, and kill a worker."""
        lines = [NewRecord(each, [UNREADABLE], None) for each in range(PARTITIONS)]
        with self._system.log() as log:
            log.append(lines)
        self.unreadable += len(lines)
        self._kill_a("worker")

    def _move_clocks(self) -> None:
        for process in self._system.processes.values():
            process.move_clock(3600 * self._chance.choice(JUMPS_HOURS))

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, act)
        timer.start()
        self._timers.append(timer)

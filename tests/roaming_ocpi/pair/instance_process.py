"""The roaming part of an instance as a process of its own: `DSN DATA PORT SKEW_SECONDS PARTITIONS`.

Its clock goes wrong by so many seconds. It may be killed at any moment.
"""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from deploy.clock import SystemClock
from deploy.observing.watch import Watch
from deploy.roaming.process import run_roaming
from deploy.running.parts import PartContext
from deploy.settings import Settings


@dataclass(frozen=True, slots=True)
class SkewedClock(SystemClock):
    """The machine's clock, wrong by `skew`."""

    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        # By name: a dataclass with slots is another class than the one that `super` would mean.
        return SystemClock.now(self) + self.skew


def main(dsn: str, data: str, port: str, skew: str, partitions: str) -> None:
    settings = replace(
        Settings(data=Path(data)),
        database_url=dsn,
        roaming_port=int(port),
        roaming_private_networks=True,
        partitions=int(partitions),
    )
    context = PartContext(
        settings=settings,
        clock=SkewedClock(timedelta(seconds=int(skew))),
        dsn=dsn,
        holder="roaming",
    )
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def ready(news: object) -> None:
        sys.stdout.write(f"{news}\n")
        sys.stdout.flush()

    run_roaming(context, stop, ready, Watch("roaming"))


if __name__ == "__main__":
    main(*sys.argv[1:])

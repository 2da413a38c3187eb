"""The jobs that people ask for in the console: which kinds there are, and their runner.

The runner is a thread where the interface is served; each job has a process of its own, so that no
page waits for one. Any number of interfaces may run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from secrets import token_hex
from typing import Final

from deploy.console.closing_jobs import closing_kinds
from deploy.settings import Settings
from ledger.desk.drafting.variance import TRY_KIND
from ledger.jobs.running import JobRunner
from ledger.jobs.working import JobKind, Workplace
from projections.replay.made_again import AGAIN_KIND, MAKE_AGAIN
from projections.what_if.answering import WHAT_IF

_END_SECONDS: Final = 10.0


def job_kinds(settings: Settings, now: Callable[[], datetime]) -> Mapping[str, JobKind]:
    """Return what is done for each kind of job; both arguments go to their processes."""
    return {TRY_KIND: WHAT_IF, AGAIN_KIND: MAKE_AGAIN, **closing_kinds(settings, now)}


@asynccontextmanager
async def running_jobs(
    dsn: str, now: Callable[[], datetime], settings: Settings, _app: object
) -> AsyncIterator[None]:
    """Run jobs meanwhile; what is at work at the end is given back, to be begun again."""
    # Another interface may run beside it, on this machine too.
    name = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
    stop = threading.Event()
    runner = JobRunner(job_kinds(settings, now), Workplace(dsn, now), name=name)
    thread = threading.Thread(target=runner.run, args=(stop,), name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, _END_SECONDS)

"""`answer_time_p50_ms`, `answer_time_p99_ms`: how long a station waits, at half of what goes.

One stations process with the embedded log, on a core of its own. First as many frames as it takes,
then half of that at a steady rate. The peer is `websockets` with `ocpp`, which keeps nothing; the
same stations ask it as often, which may be more than it takes: each waits for its answer then.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from bench.durable import measure
from bench.peers.machine import core_for_the_server
from bench.peers.paced import answer_times
from bench.peers.servers import Task, run_ours, run_peer
from bench.run import Row, beside
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres


def rows(seconds: float) -> list[Row]:
    """Measure both sides, *seconds* each time."""
    with (
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        with psycopg.connect(postgres.dsn) as connection:
            migrate.apply(connection, "inputs")
        task = Task(core=core, dsn=postgres.dsn)
        ours = measure(run_ours, task, seconds) / 2
        mine = answer_times(run_ours, task, ours, seconds)
        takes = measure(run_peer, Task(core=core), seconds)
        other = answer_times(run_peer, Task(core=core), ours, seconds)
    peer = f"websockets + ocpp, not durable, asked as often; it takes {takes:,.0f}"
    return [
        beside(f"answer_time_p{share}_ms", a, f"ms at {ours:,.0f} frames/s", peer, b, is_cost=True)
        for share, a, b in zip((50, 99), mine, other, strict=True)
    ]

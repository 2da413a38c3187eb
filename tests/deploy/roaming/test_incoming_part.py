"""The part for partners reads what they told while it runs, and ends when it is told to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.clock import SystemClock
from deploy.observing.metrics import CDRS_RECEIVED
from deploy.roaming.blocking import blocking_work, run_blocking
from deploy.roaming.condition import RoamingCondition
from deploy.running.parts import PartContext
from deploy.settings import Settings
from tests.roaming_ocpi.incoming.partner_stories import (
    PARTITIONS,
    Told,
    append,
    cdr_of,
    declare_roaming,
    verdicts,
)

# What asks lives as long as its process, and so do its connections.
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")


async def test_what_a_partner_tells_is_judged_at_once(database: str, tmp_path: Path) -> None:
    declare_roaming(database)
    settings = replace(Settings(data=tmp_path), partitions=PARTITIONS)
    context = PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="a")
    stop = asyncio.Event()
    condition = RoamingCondition(database)
    [read] = blocking_work(context, [], condition.follow)
    reading = asyncio.create_task(run_blocking(read, stop))
    await asyncio.to_thread(append, database, Told(cdr_of()))

    for _ in range(600):
        if await asyncio.to_thread(verdicts, database):
            break
        await asyncio.sleep(0.1)
    stop.set()
    await reading

    assert verdicts(database)["C1"].verdict == "accepted"
    [counted] = [each.values for each in condition().metrics if each.metric == CDRS_RECEIVED]
    assert counted == {("accepted",): 1, ("flagged",): 0, ("disputed",): 0}

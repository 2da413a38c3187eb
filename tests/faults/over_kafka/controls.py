"""Negative controls: a guarantee's smallest break in the real code, and the check that finds it.

Each is what keeps a guarantee, taken away in the processes of one small system. Where two things
keep it (the worker's compare-and-set, and behind it the constraints of the tables), both go: either
alone suffices, which is why there are two.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.books_check import is_invoiced
from tests.faults.load_station import progress, stations, under_load
from tests.faults.over_kafka.kafka_kills import (
    FLEET,
    Figures,
    Witnesses,
    await_decided,
    ends_of,
    measure,
)
from tests.faults.over_kafka.many_processes import Broken, ManyProcesses
from tests.faults.running_system import wait_until

FRAMES_BEFORE: Final = 100
"""So many are answered before each kill, and after the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A guarantee, what is broken for it, and which figure must show that.

    Attributes:
        guarantee: What the figure of a whole system proves.
        figure: The name of that figure in `Figures`.
        sentence: What is broken, in words.
        broken: And in the processes and the tables.
        parts: Which processes it takes; without a worker nothing is decided.
        kills: How often the server of the stations is killed.
    """

    guarantee: str
    figure: str
    sentence: str
    broken: Broken
    parts: Sequence[str]
    kills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFound:
    """What a control found: `found` is its figure, which must not be 0."""

    broken: str
    figure: str
    found: float


ANSWERS_EARLY: Final = """
import asyncio
from ledger.log.event_log import Position
from ledger.log.kafka.line_writer import KafkaLineWriter
durably, kept = KafkaLineWriter.append, set()
async def append(self, partition, line):
    kept.add(asyncio.ensure_future(durably(self, partition, line)))
    return Position(partition, 0, 0)
KafkaLineWriter.append = append
"""
FOLLOWS_ALL_UNFENCED: Final = """
import os
import faust
from ledger.worker import worker
class Alone(faust.App):
    def __init__(self, name, **given):
        super().__init__(f"{name}.{os.getpid()}", **given)
faust.App = Alone
worker.lock_position = lambda connection, partition, position: True
"""
ISSUES_ANEW: Final = """
import os, uuid
from ledger.invoices import issuing
from ledger.invoices.invoice import Invoice
issuing.ISSUING_LOCK = os.getpid()
Invoice.create_id = staticmethod(lambda *, cause: uuid.uuid4())
"""
WRITES_AS_BEFORE: Final = """
from ledger.log.kafka import line_writer
line_writer.token_hex = lambda count: "the same again"
"""
_DECIDES_TWICE: Final = (
    "ALTER TABLE session_decision DROP CONSTRAINT session_decision_pkey",
    "DROP INDEX session_decision_final",
    "ALTER TABLE rated_line DROP CONSTRAINT rated_line_pkey",
    "ALTER TABLE uninvoiced_session DROP CONSTRAINT uninvoiced_session_pkey",
    "ALTER TABLE journal_entry DROP CONSTRAINT journal_entry_pkey",
)
_BOOKS_TWICE: Final = (
    "ALTER TABLE issued_invoice DROP CONSTRAINT issued_invoice_cause_key",
    "ALTER TABLE invoiced_session DROP CONSTRAINT invoiced_session_pkey CASCADE",
)
CONTROLS: Final = (
    Control(
        guarantee="no acknowledged frame is lost",
        figure="lost",
        sentence="stations are answered before the log has what they said",
        broken=Broken(programs={"stations": ANSWERS_EARLY}, linger_ms=200),
        parts=("stations-1",),
        kills=3,
    ),
    Control(
        guarantee="no session is rated twice",
        figure="rated_twice",
        sentence="two workers follow every partition, neither compares the position that it"
        " advances, and the tables of decisions refuse nothing",
        broken=Broken(programs={"worker": FOLLOWS_ALL_UNFENCED}, statements=_DECIDES_TWICE),
        parts=("stations-1", "worker-1", "worker-2"),
    ),
    Control(
        guarantee="no line is billed twice",
        figure="billed_twice",
        sentence="each invoicing process has a lock of its own, an invoice's id is not made of its"
        " cause, and the tables of invoices refuse nothing",
        broken=Broken(programs={"invoicing": ISSUES_ANEW}, statements=_BOOKS_TWICE),
        parts=("stations-1", "worker-1", "invoicing-1", "invoicing-2"),
    ),
    Control(
        guarantee="energy is exact",
        figure="energy_difference_wh",
        sentence="a writer that begins anew numbers its records under its old name, so the worker"
        " drops them as repeats",
        broken=Broken(programs={"stations": WRITES_AS_BEFORE}),
        parts=("stations-1", "worker-1"),
        kills=2,
    ),
)


def controls_found() -> dict[str, ControlFound]:
    """Return what each control found, by guarantee."""
    return {each.guarantee: run_control(each) for each in CONTROLS}


def run_control(control: Control) -> ControlFound:
    """Let stations charge at a system that is broken; return what the check says of it."""
    home = Path(tempfile.mkdtemp(prefix="wattledger-control-"))
    try:
        with ManyProcesses(
            home, stations=FLEET, brokers=1, parts=control.parts, broken=control.broken
        ) as system:
            witnesses = asyncio.run(_charge(system, control.kills))
            if any("worker" in part for part in control.parts):
                await_decided(system, ends_of(system))
            if any("invoicing" in part for part in control.parts):
                with system.connection() as connection:
                    wait_until(lambda: is_invoiced(connection), "everything is invoiced")
            figures = Figures()
            measure(system, witnesses, figures)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    found = float(getattr(figures, control.figure))
    return ControlFound(broken=control.sentence, figure=control.figure, found=found)


async def _charge(system: ManyProcesses, kills: int) -> Witnesses:
    fleet = stations(FLEET, lambda: system.url)
    async with under_load(fleet):
        for _ in range(kills):
            await progress(fleet, FRAMES_BEFORE)
            system.processes["stations-1"].running.kill()
        await progress(fleet, FRAMES_BEFORE)
    return Witnesses(fleet)

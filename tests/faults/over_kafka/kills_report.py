"""`make faults N=20 JSON=FILE`: harm over three Kafka brokers under load, and what it costs.

First the negative controls: each must find what is broken on purpose, or nothing that the rest
finds says anything.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from tests.faults.over_kafka.controls import ControlFound, controls_found
from tests.faults.over_kafka.harm import kinds_with
from tests.faults.over_kafka.kafka_kills import (
    DECLARED,
    Outcome,
    harm_over_kafka,
    order_of,
    settle,
)
from tests.faults.over_kafka.many_processes import ManyProcesses
from tests.faults.over_kafka.small_disk import can_mount


@dataclass(slots=True)
class Report(Outcome):
    """What is written as JSON: the figures of the run, and what the controls found."""

    controls: Mapping[str, ControlFound] = field(default_factory=dict)


def main(arguments: list[str] | None = None) -> int:
    """Kill as asked; 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of their order")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--kinds", nargs="*", help="which; default all")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin nothing new after that")
    parser.add_argument("--no-controls", action="store_true", help="leave the controls out")
    options = parser.parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="wattledger-faults-"))
    kinds = options.kinds or kinds_with(disks=can_mount())
    report = Report()
    if not options.no_controls:
        report.controls = controls_found()
    until = time.monotonic() + 60 * options.minutes
    order = order_of(kinds, options.kills, seed=options.seed)
    in_time = itertools.takewhile(lambda _: time.monotonic() < until, order)
    found = run(home, in_time, report, seed=options.seed)
    if blind := [name for name, each in report.controls.items() if not each.found]:
        found = f"{found}\ncontrols that found nothing: {', '.join(blind)}".strip()
    if options.json:
        figures = msgspec.json.Encoder(decimal_format="number").encode(report)
        options.json.write_bytes(msgspec.json.format(figures, indent=2) + b"\n")
    show(report, found)
    if found:
        say(f"what there was stays in {home}")
        return 1
    shutil.rmtree(home)
    return 0


def run(home: Path, order: Iterable[str], report: Report, *, seed: int) -> str:
    """Do what *order* says; note in *report* what it cost, return what does not agree."""
    bar = Progress(
        TextColumn("{task.completed} begun, now {task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with ManyProcesses(home, stations=DECLARED, has_disks=can_mount()) as system, bar:
        task = bar.add_task("load", total=None)

        def told(kind: str) -> None:
            bar.update(task, advance=1, description=kind)
            if not bar.console.is_terminal:
                say(f"{time.strftime('%H:%M:%S')} {kind}")

        try:
            witnesses = asyncio.run(harm_over_kafka(system, order, report, seed=seed, told=told))
            settle(system, witnesses, report)
            said = system.command("replay", "--check")
        except Exception as error:  # noqa: BLE001 - the figures up to there are to be seen
            return "".join(traceback.format_exception(error))
    return "" if "0 differ" in said else said


def show(report: Report, found: str) -> None:
    """Print the figures."""
    console = Console(soft_wrap=True)
    for guarantee, each in report.controls.items():
        console.print(f"control, {guarantee}: {each.figure} {each.found:g} where {each.broken}")
    console.print(
        f"{sum(report.kills.values())} kills, {report.acknowledged} frames acknowledged: "
        f"{report.lost} lost, {report.rated_twice} sessions rated twice, {report.billed_twice} "
        f"lines billed twice, {report.energy_difference_wh} Wh difference; "
        f"{report.set_aside} unreadable lines set aside"
    )
    for kind, count in report.kills.items():
        console.print(
            f"  {kind:<13} {count:>4} times; at the longest {report.answered_s[kind]:.1f} s until "
            f"stations were answered, {report.recovery_s[kind]:.1f} s until all was decided"
        )
    if found:
        console.print(f"DOES NOT HOLD: {found}")


def say(words: str) -> None:
    """Tell who runs this."""
    print(words, file=sys.stderr)  # noqa: T201 - a report


if __name__ == "__main__":
    sys.exit(main())

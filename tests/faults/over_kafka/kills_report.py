"""`make faults N=20 JSON=FILE`: kills over three Kafka brokers under load, and what they cost."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.over_kafka.kafka_kills import (
    FLEET,
    KINDS,
    Outcome,
    kill_over_kafka,
    order_of,
    settle,
)
from tests.faults.over_kafka.many_processes import ManyProcesses


def main(arguments: list[str] | None = None) -> int:
    """Kill as asked; 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of their order")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="wattledger-faults-"))
    order = order_of(KINDS, options.kills, seed=options.seed)
    outcome, found = run(home, order, seed=options.seed)
    if options.json:
        figures = msgspec.json.Encoder(decimal_format="number").encode(outcome)
        options.json.write_bytes(msgspec.json.format(figures, indent=2) + b"\n")
    show(outcome, found)
    if found:
        print(f"what there was stays in {home}", file=sys.stderr)  # noqa: T201 - a report
        return 1
    shutil.rmtree(home)
    return 0


def run(home: Path, order: list[str], *, seed: int) -> tuple[Outcome, str]:
    """Return what the kills of *order* cost, and what does not agree, if anything."""
    outcome = Outcome()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} kills"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with ManyProcesses(home, stations=FLEET) as system, bar:
        task = bar.add_task("under load", total=len(order))
        try:
            fleet, outcome = asyncio.run(
                kill_over_kafka(system, order, seed=seed, told=lambda: bar.advance(task))
            )
            settle(system, fleet, outcome)
            said = system.command("replay", "--check")
        except AssertionError as error:
            return outcome, str(error) or "the books do not agree"
    return outcome, "" if "0 differ" in said else said


def show(outcome: Outcome, found: str) -> None:
    """Print the figures."""
    console = Console()
    console.print(
        f"{sum(outcome.kills.values())} kills, {outcome.acknowledged} frames acknowledged: "
        f"{outcome.lost} lost, {outcome.rated_twice} sessions rated twice, {outcome.billed_twice} "
        f"billed twice, {outcome.energy_difference_wh} Wh difference"
    )
    for kind, count in outcome.kills.items():
        console.print(
            f"  {kind:<12} {count:>4} kills; at the longest {outcome.answered_s[kind]:.1f} s until "
            f"stations were answered, {outcome.recovery_s[kind]:.1f} s until all was decided"
        )
    if found:
        console.print(f"DOES NOT HOLD: {found}")


if __name__ == "__main__":
    sys.exit(main())

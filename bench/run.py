"""Run the benchmarks, print a table, optionally write JSON. `make bench [JSON=FILE]`."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Final, TypedDict

from rich.console import Console
from rich.table import Table


class Row(TypedDict):
    """One measure: ours, a peer's in the same run, and how many times better ours is."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float


MODULES: Final = (
    "bench.codec",
    "bench.durable",
    "bench.kafka.ingest",
    "bench.kafka.worker",
    "bench.stations.storm",
    "bench.stations.commands",
    "bench.stations.answer_time",
    "bench.stations.fleet",
    "bench.tls_memory",
    "bench.worker",
    "bench.worker_mix",
    "bench.rated_posted",
    "bench.documents",
    "bench.history.replay",
    "bench.history.growth",
    "bench.history.reads",
    "bench.history.closing",
    "bench.history.pages",
    "bench.pricing",
    "bench.ocpi",
    "bench.interface.api_requests",
    "bench.roaming.cdr_out",
    "bench.roaming.cdr_pushed",
    "bench.roaming.incoming",
    "bench.roaming.ocpi_pages",
    "bench.payments.collect",
    "bench.bulk",
    "bench.simulate",
    "bench.start_up",
    "bench.kafka.recovery",
)
GROWTH: Final = "bench.history.growth"


def beside(
    name: str, value: float, unit: str, peer: str, peer_value: float, *, is_cost: bool = False
) -> Row:
    """Return a row; of a cost less is better."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": peer_value / value if is_cost else value / peer_value,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what *arguments* ask for; 0 when every row was measured."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--seconds", type=float, default=5.0, help="measuring time a side")
    parser.add_argument("--only", nargs="*", help="names of modules, such as bench.codec")
    parser.add_argument(
        "--lines",
        type=int,
        default=1_000_000,
        help="how far history_growth goes (10000000 takes half an hour)",
    )
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in options.only or MODULES:
        started = time.perf_counter()
        given = {"lines": options.lines} if name == GROWTH else {}
        rows += importlib.import_module(name).rows(options.seconds, **given)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    return 0


def _listed() -> str:
    """Return what each module measures, in its own words; none is loaded for that."""
    listed = ["what is measured, by module:"]
    for name in MODULES:
        path = Path(__file__).parent.parent / f"{name.replace('.', '/')}.py"
        said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        listed.append(f"  {name}: {' '.join(said.split(chr(10) * 2)[0].split())}")
    return "\n".join(listed)


def show(rows: list[Row]) -> None:
    """Print *rows* as a table."""
    table = Table()
    for heading, wraps in (("name", False), ("value", False), ("unit", True), ("peer", True)):
        table.add_column(heading, no_wrap=not wraps, min_width=24 if wraps else None)
    table.add_column("peer value", no_wrap=True)
    table.add_column("ratio", no_wrap=True)
    for row in rows:
        value, peer = f"{row['value']:,.1f}", f"{row['peer_value']:,.1f}"
        table.add_row(row["name"], value, row["unit"], row["peer"], peer, f"{row['ratio']:.1f}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    sys.exit(main())

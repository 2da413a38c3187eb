"""`help_start_up` and `reading_command`: how long a person waits for a command.

Help is measured in processor time, against the bare import of the library that draws it. A reading
command on a resting folder is measured by the clock: with the server that the command before it
left running, against the same command where each starts and stops its own.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.run import Row
from deploy.postgres.embedded import EmbeddedPostgres

_ROOT: Final = Path(__file__).resolve().parents[1]
_TARIFF: Final = _ROOT / "examples" / "tariffs" / "energy-only.yaml"
_PROGRAM: Final = "from deploy.cli import main; main()"
_LIBRARY: Final = "import cyclopts, rich.console, rich.markdown"
_RUNS: Final = 7
_IDLE: Final = "WATTLEDGER_DATABASE_IDLE_SECONDS"


def rows(_seconds: float) -> list[Row]:
    """Measure both, the median of some runs each; how long does not matter."""
    data = Path(tempfile.mkdtemp(prefix="wattledger-bench-"))
    try:
        return [_help_row(), _reading_row(data)]
    finally:
        with EmbeddedPostgres(data):  # whoever uses it last ends what was kept
            pass
        shutil.rmtree(data)


def _help_row() -> Row:
    ours = _median(lambda: _cpu_ms(_PROGRAM, "--help"))
    library = _median(lambda: _cpu_ms(_LIBRARY))
    return {
        "name": "help_start_up",
        "value": ours,
        "unit": "CPU ms of wattledger --help",
        "peer": "importing cyclopts and rich, no more",
        "peer_value": library,
        "ratio": library / ours,
    }


def _reading_row(data: Path) -> Row:
    _run(_PROGRAM, "tariff", "publish", str(_TARIFF), "--data", str(data), idle_seconds=0)
    alone = _median(lambda: _wall_ms(data, idle_seconds=0))
    _wall_ms(data, idle_seconds=600)
    kept = _median(lambda: _wall_ms(data, idle_seconds=600))
    return {
        "name": "reading_command",
        "value": kept,
        "unit": "ms of wattledger invoices, server kept",
        "peer": "the same, server started and stopped",
        "peer_value": alone,
        "ratio": alone / kept,
    }


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(_RUNS))


def _cpu_ms(program: str, *arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(program, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def _wall_ms(data: Path, *, idle_seconds: int) -> float:
    started = time.perf_counter()
    _run(_PROGRAM, "invoices", "--data", str(data), idle_seconds=idle_seconds)
    return (time.perf_counter() - started) * 1000


def _run(program: str, *arguments: str, idle_seconds: int = 0) -> None:
    subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", program, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**os.environ, _IDLE: str(idle_seconds)},
    )

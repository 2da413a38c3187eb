"""`simulate_million`: `tariff simulate` over a million stored sessions, end to end, as a process.

`simulate_million_granted`: the same where two in three sessions have groups and validations.

The file (.npz) is made beforehand: sessions of up to nine hours by the quarter, over two years, in
three zones, of 50,000 customers at 500 sites. The peer is the scalar kernel on the same sessions,
extrapolated from a sample: no file, one price each, nothing added up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.bulk import GRANTING, granted_sessions, mixed_sessions, mixed_tariffs
from bench.run import Row
from tariffs.bulk.columns import SessionColumns, columns_of
from tariffs.bulk.rating import bulk_tariff, rate_columns
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.usage import SessionUsage
from tariffs.simulate.columns_file import write_columns_file
from tariffs.simulate.history import HistoryChunk

_SESSIONS: Final = 1_000_000
_DISTINCT: Final = 20_000
_CUSTOMERS: Final = 50_000
_SITES: Final = 500
_SAMPLE: Final = 5_000
_WEEK_US: Final = 7 * 86_400_000_000
_ROOT: Final = Path(__file__).parents[1]
# Its own peak, and not that of the process it was forked from.
_COMMAND: Final = """
import atexit, pathlib, sys
from deploy.cli import main
atexit.register(lambda: sys.stderr.write(pathlib.Path("/proc/self/status").read_text()))
sys.exit(main())
"""
_PEAK: Final = re.compile(rb"VmHWM:\s+(\d+) kB")
_TARIFF: Final = _ROOT / "examples" / "tariffs" / "time-of-use.yaml"


def rows(_seconds: float) -> list[Row]:
    """Measure one run of the command a row; it takes as long as it takes."""
    return [
        _row("simulate_million", _TARIFF, mixed_sessions(_DISTINCT)),
        _row("simulate_million_granted", GRANTING, granted_sessions(_DISTINCT)),
    ]


def _row(name: str, tariff: Path, sessions: list[SessionUsage]) -> Row:
    columns = columns_of(sessions)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.npz")
        with path.open("wb") as file:
            written = write_columns_file(file, history(columns, _SESSIONS))
        begun = clock.perf_counter()
        command = ("-c", _COMMAND, "tariff", "simulate", str(tariff), "--json")
        page = str(Path(folder, "page.html"))
        done = subprocess.run(  # noqa: S603 - our own command
            (sys.executable, *command, "--sessions", str(path), "--html", page),
            cwd=_ROOT,
            capture_output=True,
            check=True,
        )
        lasted = clock.perf_counter() - begun
    assert json.loads(done.stdout)["total"]["sessions"] == written == _SESSIONS
    peak_mib = int(_PEAK.findall(done.stderr)[-1]) / 1024
    scalar = _SESSIONS / _scalar_rate(columns, tariff)
    return {
        "name": name,
        "value": lasted,
        "unit": f"s for {written:,} sessions, peak {peak_mib:.0f} MiB",
        "peer": f"our scalar kernel alone, from {_SAMPLE:,} sessions",
        "peer_value": scalar,
        "ratio": scalar / lasted,
    }


def history(columns: SessionColumns, sessions: int) -> Iterator[HistoryChunk]:
    """Yield *sessions* of the past: *columns* over and over, a week later each time."""
    billed = rate_columns(columns, bulk_tariff(compile_tariff(mixed_tariffs()[0])))
    count = len(columns)
    for turn in range(sessions // count):
        later = turn * _WEEK_US
        number = turn * count + np.arange(count, dtype=np.int64)
        yield HistoryChunk(
            columns=replace(
                columns,
                starts_us=columns.starts_us + later,
                ends_us=columns.ends_us + later,
                point_us=columns.point_us + later,
                span_us=columns.span_us + later,
            ),
            ids=tuple(f"station-{n % 997}/{n}" for n in number.tolist()),
            customers=tuple(f"customer-{n}" for n in range(_CUSTOMERS)),
            # A prime: neighbours in time get customers far apart.
            customer=number * 7_919 % _CUSTOMERS,
            sites=tuple(f"site-{n}" for n in range(_SITES)),
            site=number * 31 % _SITES,
            currency="EUR",
            billed_before=billed.before_minor,
            billed_after=billed.after_minor,
            is_billed=np.ones(count, dtype=np.bool_),
        )


def _scalar_rate(columns: SessionColumns, path: Path) -> float:
    """Return how many sessions a second the scalar kernel prices from the same columns."""
    tariff, _ = read_tariff_file(path.read_text("utf-8"), str(path))
    assert tariff is not None
    compiled = compile_tariff(tariff)
    usages = [columns.usage(row) for row in range(_SAMPLE)]
    begun = clock.perf_counter()
    for usage in usages:
        price_session(usage, compiled)
    return _SAMPLE / (clock.perf_counter() - begun)

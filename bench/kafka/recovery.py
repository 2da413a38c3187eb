"""`recovery_*`: how long each kind of kill is felt, over three brokers and twelve stations.

`tests.faults.over_kafka.kills_report` kills each kind once under load; a row says how long it was
until stations were answered again and all that was logged before was decided. The peer is what it
may take at most, where somebody said so: Kafka needs 10 s to miss a worker and 3 s to miss a
broker; where nobody did, how long it was until stations were answered.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.run import Row, beside
from tests.tree import ROOT

_AT_MOST: Final[Mapping[str, float]] = {"worker": 11.0, "leader": 4.0, "controller": 8.0}
_KILLED: Final = ("stations", "worker", "invoicing", "leader", "controller", "postgres")
_REPORT: Final = "tests.faults.over_kafka.kills_report"


def rows(_seconds: float) -> list[Row]:
    """Kill each kind once.

    Raises:
        CalledProcessError: If something was lost or done twice.
    """
    return [_row(kind, _killed(kind)) for kind in _KILLED]


def _killed(kind: str) -> Mapping[str, Mapping[str, float]]:
    """Kill *kind* once in a cluster that is whole: what another kill left would count for it."""
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-kills-") as folder:
        found = Path(folder) / "kills.json"
        words = ["--kinds", kind, "--kills", "1", "--no-controls", "--json", str(found)]
        # A process of its own: what it starts ends with it.
        subprocess.run([sys.executable, "-m", _REPORT, *words], check=True, cwd=ROOT)  # noqa: S603
        outcome: Mapping[str, Mapping[str, float]] = json.loads(found.read_text("utf-8"))
    return outcome


def _row(kind: str, outcome: Mapping[str, Mapping[str, float]]) -> Row:
    answered, decided = outcome["answered_s"][kind], outcome["recovery_s"][kind]
    unit = f"s until all was decided after `{kind}`; stations were answered after {answered:.1f} s"
    known = kind in _AT_MOST
    peer, peer_value = ("at most", _AT_MOST[kind]) if known else ("answered", answered)
    return beside(f"recovery_{kind}", decided, unit, peer, peer_value, is_cost=True)

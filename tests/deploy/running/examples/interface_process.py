"""The interface as a process of its own, over a data folder that is served."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.deploy.running_wattledger import PROGRAM, Wattledger


@contextmanager
def interface(wattledger: Wattledger) -> Iterator[str]:
    """Run the interface on a free port; yield its address, and end it as Ctrl-C does."""
    process = subprocess.Popen(
        [*PROGRAM, "run", "interface", "--port", "0", "--data", str(wattledger.data)],
        stdout=subprocess.PIPE,
        text=True,
        env={**wattledger.environment, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0

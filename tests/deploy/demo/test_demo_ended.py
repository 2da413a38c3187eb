"""A demo that is ended early leaves nothing running."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.deploy.running_wattledger import PROGRAM


def number_in(file: Path, *, seconds: float = 60) -> int:
    """Return the process id that stands in the first line of *file*, once it does."""
    limit = time.monotonic() + seconds
    while not (file.is_file() and (text := file.read_text("utf-8")).count("\n") > 1):
        assert time.monotonic() < limit
        threading.Event().wait(0.05)
    return int(text.splitlines()[0])


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_the_demo_ends_its_database(tmp_path: Path, told: signal.Signals) -> None:
    data = tmp_path / "data"
    # Who runs the tests in the background has this ignored, and then a child has it, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        demo = subprocess.Popen(
            [*PROGRAM, "demo", "--stations", "9", "--days", "2", "--data", str(data)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    database = number_in(data / "postgresql" / "postmaster.pid")

    demo.send_signal(told)

    assert demo.wait(timeout=60) == 130
    limit = time.monotonic() + 30
    while Path(f"/proc/{database}").exists():
        assert time.monotonic() < limit
        threading.Event().wait(0.05)

"""The ports of health and metrics: printed, where settings say, and taken again after a kill."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy.observing.endpoint import PARTS as ALL_PARTS
from tests.deploy.observing.free_ports import free_base
from tests.deploy.running_wattledger import PROGRAM, Wattledger
from tests.tree import ROOT

# What publishes needs a log in Kafka, what asks a payment provider a key; the console is within
# the interface.
ELSEWHERE = {"publishing", "payments", "console"}
LINES_MAX = 40
OFFSETS = {part: at for at, part in enumerate(ALL_PARTS) if part not in ELSEWHERE}


def status(port: int, path: str = "/readyz") -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def told_port(line: str) -> tuple[str, str] | None:
    found = re.search(r"(\w+) +http://127\.0\.0\.1:(\d+)", line)
    return (found[1], found[2]) if found else None


def until_ready(port: int) -> None:
    limit = time.monotonic() + 60
    while status(port) != 200:
        assert time.monotonic() < limit, port
        time.sleep(0.2)


@pytest.mark.timeout(240)
def test_a_system_that_was_killed_has_its_ports_again_at_once(tmp_path: Path) -> None:
    wattledger, base = Wattledger(tmp_path / "data"), free_base()
    wattledger.environment["WATTLEDGER_METRICS_PORT"] = str(base)
    with wattledger.up() as (process, _):
        for offset in OFFSETS.values():
            until_ready(base + offset)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with wattledger.up() as (again, _):
            assert again.stdout is not None
            lines = itertools.islice(again.stdout, LINES_MAX)
            found = dict(itertools.islice(filter(None, map(told_port, lines)), len(OFFSETS)))
            for offset in OFFSETS.values():
                until_ready(base + offset)

    assert found == {part: str(base + offset) for part, offset in OFFSETS.items()}


@pytest.mark.timeout(120)
def test_a_part_that_runs_alone_has_its_port(tmp_path: Path, database: str) -> None:
    base, data = free_base(), tmp_path / "data"
    settings = {"DATABASE_URL": database, "METRICS_PORT": str(base), "DATA": str(data)}
    environment = {f"WATTLEDGER_{name}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [*PROGRAM, "run", "invoicing"],
        env=os.environ | environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until_ready(base + OFFSETS["invoicing"])
        second = subprocess.run(
            [*PROGRAM, "run", "invoicing"],
            env=os.environ | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)

    assert f"health and metrics at http://127.0.0.1:{base + 3}" in said
    assert second.returncode == 1
    assert "WATTLEDGER_METRICS_PORT" in second.stderr

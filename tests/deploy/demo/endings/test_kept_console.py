"""The demo's console kept running: two people come in by their links and see the month."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.timeout(600)
KEPT = """
import sys
from dataclasses import replace
from pathlib import Path
from deploy.demo.endings.kept_console import keep_console
from deploy.demo.play import demo_settings

settings = replace(demo_settings(None), data=Path(sys.argv[1]))
keep_console(settings, 0, lambda lines: print(*lines, sep="\\n", flush=True))
"""
PASSWORD = "correct horse battery"


@pytest.fixture
def folder(demo_folder: Path, tmp_path: Path) -> Path:
    """A copy of what a demo left, with its owners."""
    copied = tmp_path / "data"
    subprocess.run(["cp", "-a", demo_folder, copied], check=True)
    return copied


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Yield a process and what it says, up to the line that says how it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if "WATTLEDGER" not in name},
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if "Ctrl-C" in line or "console is at" in line:
                break
        yield process, said
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_each_of_two_people_is_let_in_once_and_sees_the_month(folder: Path) -> None:
    with running(KEPT, folder) as (process, said):
        links = dict(re.findall(r"^  (\w+) \([\w, ]+\): (\S+)$", "\n".join(said), re.MULTILINE))
        for link in links.values():
            with httpx.Client(trust_env=False, timeout=60) as browser:
                assert browser.get(link).status_code == 200
                typed = {"password": PASSWORD, "again": PASSWORD}
                assert browser.post(link, data=typed).status_code == 303
                url = link.partition("/console/")[0]
                fleet = browser.get(f"{url}/console/fleet").text
                work = browser.get(f"{url}/console/work")
                again = browser.get(link)

            assert "2 Apr 2026, 11:00:00" in fleet, "the clock stands at the month's end"
            assert work.status_code == 200
            assert re.search(r'href="/console/work/held">\s*9\s*<', work.text)
            assert "holds no more" in again.text

    assert list(links) == ["mara", "theo"]
    assert process.returncode == 0


def test_the_console_alone_has_pages_and_nothing_else(folder: Path) -> None:
    arguments = ("from deploy.cli import main; main()", "run", "console", "--port", "0")
    with running(*arguments, "--data", folder) as (process, said):
        [url] = re.findall(r"the console is at (\S+)/console$", "\n".join(said), re.MULTILINE)
        with httpx.Client(trust_env=False, timeout=60) as browser:
            page, operation = browser.get(f"{url}/console/login"), browser.get(f"{url}/stations")

    assert page.status_code == 200
    assert operation.status_code in {401, 404}
    assert process.returncode == 0

"""In CI a skipped test is a failure: what was meant to run must have run. Files stand in memory."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, and what is made there has a name of its own
MEMORY_BYTES_MIN = 8 << 30

_skipped: list[str] = []


def pytest_configure() -> None:
    """Let tests write to memory where there is plenty, unless TMPDIR says where.

    A database of ours is some nine hundred files, and a thousand tests have one each: on a disk,
    making and removing them takes three times as long as what is tested.
    """
    # Programs that tests start refuse what begins as settings do and is none.
    if folder := os.environ.pop("WATTLEDGER_SCREENSHOTS", None):
        os.environ["TESTS_SCREENSHOTS"] = folder
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it may have been looked up already


def pytest_collection_finish() -> None:
    """Have the collector look no more at what lasts: modules and tests, half a million objects."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test printed be sent between processes: pytest-xdist cannot carry a surrogate."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Let go of what a file of tests left open: a test of another file would be blamed for it."""
    yield
    if nextitem is None or nextitem.path != item.path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn skips into a failing exit status where CI is set."""
    # A Kafka client that is left in a cycle ends here: else its threads, the library's own, run on
    # while the interpreter ends.
    gc.collect()
    if _skipped and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run failed."""
    if _skipped and os.environ.get("CI"):
        terminalreporter.write_line(f"CI refuses {len(_skipped)} skipped tests:", red=True)
        for name in _skipped:
            terminalreporter.write_line(f"  {name}")

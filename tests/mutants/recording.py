"""Which tests reach which mutants, found in one run of the tests with none switched on."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import NamedTuple

import pytest

from tests.mutants.loading import MutantFinder


class Reaching(NamedTuple):
    """A test that reaches a mutant, and the seconds that it takes."""

    test: str
    seconds: float


class Recorder:
    """A plugin of pytest: `tests` are those that reach each mutant, the fastest first."""

    def __init__(self, finder: MutantFinder) -> None:
        self._finder = finder
        self._reaching: dict[int, list[Reaching]] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note what the test reaches, with what it needs."""
        self._finder.reached.clear()
        begins = time.perf_counter()
        result = yield
        each = Reaching(item.nodeid, time.perf_counter() - begins)
        for number in self._finder.reached:
            self._reaching.setdefault(number, []).append(each)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails with nothing changed: it could kill nothing."""
        if report.failed:
            self.failed.append(report.nodeid)

    def tests(self, number: int, *, seconds_max: float) -> list[str]:
        """Return the tests to try against a mutant: the fastest, for at most so long."""
        chosen, seconds = list[str](), 0.0
        for each in sorted(self._reaching.get(number, ()), key=lambda one: one.seconds):
            seconds += each.seconds
            if chosen and seconds > seconds_max:
                break
            chosen.append(each.test)
        return chosen

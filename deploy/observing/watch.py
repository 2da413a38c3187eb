"""What a part has of its endpoint: it says that its loop turns, and what there is to know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from time import monotonic
from typing import Final, NamedTuple

from deploy.observing.metrics import BEAT_AGE, BUILD_INFO, READY, Reported, report
from ledger.shapes import build_shapes

STILL_SECONDS_MAX: Final = 300.0
"""How long a loop may stand still: whoever restarts what is not alive must not end long work."""


class Unready(NamedTuple):
    """Why a part is not ready, by a code and in words."""

    code: str
    why: str


class Condition(NamedTuple):
    """What a part found out about itself at one moment."""

    unready: Sequence[Unready]
    metrics: Sequence[Reported]


def _begin() -> Condition:
    return Condition([Unready("starting", "it is starting")], [])


class Watch:
    """One part's; the part's own thread beats, the endpoint's threads ask the rest."""

    def __init__(self, part: str, *, now: Callable[[], float] = monotonic) -> None:
        self.part = part
        self._now = now
        self._beat_at = now()
        self._condition: Callable[[], Condition] = _begin

    def beat(self) -> None:
        """Say that the part's loop turns."""
        self._beat_at = self._now()

    def begin(self, condition: Callable[[], Condition]) -> None:
        """Say how to find out the part's condition, from now on: in bounded time, in any thread."""
        # What a part reads in threads it has loaded by now.
        build_shapes()
        self._condition = condition

    def standing_still(self) -> str:
        """Say in words that the loop does not turn; empty where it does."""
        seconds = self._now() - self._beat_at
        if seconds <= STILL_SECONDS_MAX:
            return ""
        return f"the loop of {self.part} has not turned for {seconds:.0f} s"

    def unready(self) -> Sequence[Unready]:
        """Return why the part is not ready; nothing where it is."""
        return self._unready(self._condition())

    def metrics(self) -> Iterable[Reported]:
        """Return all that there is to tell now."""
        condition = self._condition()
        is_ready = not self._unready(condition)
        return (
            report(BUILD_INFO, {(version("wattledger"), self.part): 1}),
            report(READY, int(is_ready)),
            report(BEAT_AGE, self._now() - self._beat_at),
            *condition.metrics,
        )

    def _unready(self, condition: Condition) -> Sequence[Unready]:
        still = self.standing_still()
        return [Unready("standing_still", still)] * bool(still) + [*condition.unready]

"""The last answer to a question that may take long, asked anew when somebody wants to know.

However many ask, one thread asks the question, at most every few seconds; who waits does so for
`patience_seconds` and is then told since when there is no answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final, Generic, NamedTuple, TypeVar

from tariffs.phrases.printable import printable

T = TypeVar("T")

FRESH_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 2.0
TROUBLE_MAX: Final = 300


class Look(NamedTuple, Generic[T]):
    """What was found: a value, or in words why there is none."""

    value: T | None
    trouble: str


class Sample(Generic[T]):
    """Answers of *ask*. Any thread may look; *ask* runs in one of its own, never twice at once."""

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        fresh_seconds: float = FRESH_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._ask = ask
        self._fresh, self._patience = fresh_seconds, patience_seconds
        self._lock = threading.Lock()
        self._answered: threading.Event | None = None
        self._asked_at = self._answered_at = 0.0
        self._last: Look[T] = Look(None, "")

    def look(self) -> Look[T]:
        """Return the answer, not older than `fresh_seconds`."""
        with self._lock:
            answered, now = self._answered, monotonic()
            if answered is None or (answered.is_set() and now - self._answered_at >= self._fresh):
                answered = self._answered = threading.Event()
                self._asked_at = now
                # Not waited for at the end: a question to a dead host may take minutes.
                threading.Thread(target=self._answer, args=(answered,), daemon=True).start()
            asked_at = self._asked_at
        if answered.wait(self._patience):
            return self._last
        return Look(None, f"no answer for {monotonic() - asked_at:.0f} s")

    def _answer(self, answered: threading.Event) -> None:
        try:
            self._last = Look(self._ask(), "")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            words = printable(" ".join(str(error).split())) or type(error).__name__
            self._last = Look(None, words[:TROUBLE_MAX])
        self._answered_at = monotonic()
        answered.set()

"""The official rules of EN 16931, asked of the XML that is to be sent: schema, then Schematron.

Saxon runs in one thread of its own in each process (a second processor in another thread aborts the
process), and compiles the rules once. Who asks waits for his turn, for a bounded time. What nobody
could judge is refused, never passed: a document that the rules fail at by a problem of its own
(`UNJUDGED`), for the others go on; anything else by `ValidatorMissingError`, for all of them.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from projections.documents.electronic.official.official_rules import OfficialRules
from projections.documents.electronic.problems import (
    UNJUDGED,
    RuleProblem,
    ValidatorMissingError,
)

WAITING_MAX: Final = 64
"""So many may wait for a verdict; who comes beyond is refused at once."""
SECONDS_MAX: Final = 120.0
"""How long a verdict may take, with the wait for its turn."""


class Rules(Protocol):
    """What judges a document."""

    def problems(self, xml: bytes) -> tuple[RuleProblem, ...]:
        """Return which rules *xml* breaks."""


_Question = tuple[bytes, Future[tuple[RuleProblem, ...]]]


class Validator:
    """Judges documents by the official rules; all of a process share one thread.

    `rules` makes what judges, in that thread.
    """

    def __init__(
        self,
        *,
        seconds_max: float = SECONDS_MAX,
        rules: Callable[[], Rules] = OfficialRules,
    ) -> None:
        self._seconds_max, self._rules = seconds_max, rules

    def problems(self, xml: bytes) -> tuple[RuleProblem, ...]:
        """Return which rules *xml*, a CII or UBL document, breaks; none of a valid one.

        Raises:
            ValidatorMissingError: If that could not be found out.
        """
        answer: Future[tuple[RuleProblem, ...]] = Future()
        try:
            _judge_of(self._rules).put_nowait((xml, answer))
        except queue.Full:
            why = f"{WAITING_MAX} documents wait already"
            raise ValidatorMissingError(why) from None
        try:
            return answer.result(self._seconds_max)
        except ValidatorMissingError:
            raise
        except TimeoutError:
            why = f"no verdict within {self._seconds_max:g} s"
            # It is not worth the thread's time any more if its turn has not come yet.
            if answer.cancel():
                raise ValidatorMissingError(why) from None
            # Its own fault: as a missing check it would stop every other document for ever.
            return (RuleProblem(UNJUDGED, why),)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ValidatorMissingError(why) from error


_lock = threading.Lock()
_judges: dict[Callable[[], Rules], queue.Queue[_Question]] = {}
_home: int | None = None
"""The process in which the first thread was started."""


def _judge_of(rules: Callable[[], Rules]) -> queue.Queue[_Question]:
    """Return the questions of this process's thread, which is started with the first of them.

    Raises:
        ValidatorMissingError: In a fork of a process that has such a thread.
    """
    global _home  # noqa: PLW0603 - there is one Saxon in a process
    with _lock:
        _home = _home or os.getpid()
        if _home != os.getpid():
            why = "Saxon runs in the process that this one was forked from, and would abort here"
            raise ValidatorMissingError(why)
        if rules not in _judges:
            questions: queue.Queue[_Question] = queue.Queue(WAITING_MAX)
            threading.Thread(
                target=_judge, args=(questions, rules), name="official-rules", daemon=True
            ).start()
            _judges[rules] = questions
        return _judges[rules]


def _judge(questions: queue.Queue[_Question], make: Callable[[], Rules]) -> None:
    rules: Rules | None = None
    while True:
        xml, answer = questions.get()
        if not answer.set_running_or_notify_cancel():
            continue
        try:
            rules = rules or make()
            answer.set_result(rules.problems(xml))
        except BaseException as error:  # noqa: BLE001 - whoever asked is told, whatever it was
            answer.set_exception(error)

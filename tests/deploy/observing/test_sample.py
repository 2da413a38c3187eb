"""A question that may take long: asked by one thread, seldom, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.observing.sample import TROUBLE_MAX, Look, Sample


class Question:
    """Counts how often it is asked; `gate` holds the answer back."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.asked += 1
        self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def question() -> Question:
    return Question()


def test_a_fresh_answer_is_given_again(question: Question) -> None:
    sample = Sample(question, fresh_seconds=60)

    assert [sample.look() for _ in range(3)] == [Look(1, "")] * 3
    assert question.asked == 1


def test_an_old_answer_is_asked_for_anew(question: Question) -> None:
    sample = Sample(question, fresh_seconds=0)

    assert [sample.look().value for _ in range(3)] == [1, 2, 3]


def test_however_many_look_it_is_asked_once_at_a_time(question: Question) -> None:
    question.gate.clear()
    sample = Sample(question, fresh_seconds=60, patience_seconds=30)

    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(sample.look) for _ in range(8)]
        time.sleep(0.1)
        question.gate.set()

    assert {look.result() for look in looks} == {Look(1, "")}
    assert question.asked == 1


def test_who_waited_long_enough_is_told_so_and_the_answer_comes_later(question: Question) -> None:
    question.gate.clear()
    sample = Sample(question, fresh_seconds=60, patience_seconds=0.05)

    assert sample.look() == Look(None, "no answer for 0 s")
    assert sample.look() == Look(None, "no answer for 0 s")
    question.gate.set()
    limit = time.monotonic() + 60
    while sample.look().value is None:
        assert time.monotonic() < limit

    assert sample.look() == Look(1, "")
    assert question.asked == 1


def test_an_error_is_told_in_one_printable_line_and_bounded(question: Question) -> None:
    question.error = ValueError(f"away\n\x1b[31mred {'x' * 1000}")
    sample = Sample(question)

    value, trouble = sample.look()

    assert value is None
    assert trouble.startswith("away ")
    assert "\x1b" not in trouble
    assert len(trouble) == TROUBLE_MAX


def test_an_error_without_words_has_its_name(question: Question) -> None:
    question.error = TimeoutError()

    assert Sample(question).look() == Look(None, "TimeoutError")

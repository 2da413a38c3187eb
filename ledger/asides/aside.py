"""A line that was set aside: where it stands, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from ledger.errors import LedgerError
from tariffs.phrases.phrase import bounded


class AsideStep(StrEnum):
    """What raised at a line."""

    READ = "line_unreadable"
    TRANSLATE = "not_translated"
    FOLD = "not_folded"
    TAKE = "not_taken"
    """Recalling what it concerns, deciding, or writing what follows."""
    TIME_OUT = "not_timed_out"
    """The same of one station's sessions at a tick; the tick holds for all others."""


class Aside(NamedTuple):
    """A line that was set aside at the record `at`: its own, or a later one that its fact failed.

    `station_id` is "" where the line names none. `why` is the error, for people.
    """

    position: int
    line: int
    station_id: str
    at: int
    step: AsideStep
    why: str


class LinesRaiseError(LedgerError):
    """The record at `at` cannot be taken with some lines: `asides` say which."""

    def __init__(self, at: int, asides: Sequence[Aside]) -> None:
        super().__init__(f"{len(asides)} lines raise at record {at}: {asides[0].why}")
        self.at, self.asides = at, tuple(asides)


def why_of(error: Exception) -> str:
    """Return *error* in words that a table can hold."""
    return bounded(f"{type(error).__name__}: {error}")

"""What stands against an electronic document: by which rule, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from projections.errors import ProjectionError

UNJUDGED: Final = "unjudged"
"""In place of a rule: the rules came to no verdict about this one document."""


class RuleProblem(NamedTuple):
    """A rule that a document breaks; `spot` is a path of its XML, empty where none was made yet."""

    rule: str
    message: str
    spot: str = ""

    def __str__(self) -> str:
        at = f" at {self.spot}" if self.spot else ""
        return f"{self.rule}: {self.message}{at}"


class NotElectronicError(ProjectionError):
    """EN 16931 cannot say this document, or who gets it asks for more than was declared."""

    def __init__(self, number: str, problems: Sequence[RuleProblem]) -> None:
        super().__init__(f"{number}: " + "; ".join(map(str, problems)))
        self.number, self.problems = number, tuple(problems)


class ValidatorMissingError(ProjectionError):
    """Nobody could judge a document, so it counts as refused."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the official rules of EN 16931 could not be asked: {why}")
        self.why = why

    def __reduce__(self) -> tuple[type[ValidatorMissingError], tuple[str]]:
        # Other processes are told the same: not the sentence as its own reason.
        return type(self), (self.why,)

"""The root of everything that read models raise."""

from __future__ import annotations


class ProjectionError(Exception):
    """A question about the books cannot be answered."""


class UnknownInvoiceError(ProjectionError):
    """There is no invoice of that number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"there is no invoice {number}")
        self.number = number


class UnknownLineError(ProjectionError):
    """The invoice has no line of that number."""

    def __init__(self, number: str, line: int, lines: int) -> None:
        super().__init__(f"invoice {number} has lines 1 to {lines}, not {line}")
        self.number, self.line, self.lines = number, line, lines

"""The root of everything that read models raise."""

from __future__ import annotations


class ProjectionError(Exception):
    """A question about the books cannot be answered."""


class UnknownInvoiceError(ProjectionError):
    """There is no invoice of that number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"there is no invoice {number}: `wattledger invoices` lists them")
        self.number = number


class LongDocumentError(ProjectionError):
    """A document has more sessions than are shown at once."""

    def __init__(self, number: str, sessions_max: int) -> None:
        super().__init__(
            f"{number} has more than {sessions_max} sessions: its lines are in its PDF and its XML,"
            f" `wattledger explain {number} LINE` explains one"
        )
        self.number, self.sessions_max = number, sessions_max


class UnknownLineError(ProjectionError):
    """The invoice has no line of that number."""

    def __init__(self, number: str, line: int, lines: int) -> None:
        super().__init__(f"invoice {number} has lines 1 to {lines}, not {line}")
        self.number, self.line, self.lines = number, line, lines

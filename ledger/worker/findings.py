"""What a group of records changed, held in memory until it is written."""

from __future__ import annotations

from ledger.rating.decisions import Decision, Moment
from ledger.worker.session_rows import SessionRow


class Findings:
    """What a group of records changed, to be written in one transaction."""

    def __init__(self) -> None:
        self.changed: dict[str, SessionRow] = {}
        self.gone: set[str] = set()
        self.decisions: list[Decision] = []

    def has_decided(self, session_id: str, moment: Moment) -> bool:
        """Whether the record of *moment* led to a decision about the session already."""
        return any(
            decision.session_id == session_id and decision.moment.position == moment.position
            for decision in self.decisions
        )

    def change(self, row: SessionRow) -> None:
        """Write *row* as it will be at the end."""
        self.changed[row.session_id] = row
        self.gone.discard(row.session_id)

    def clear(self) -> None:
        """Begin the next group."""
        self.changed.clear()
        self.gone.clear()
        self.decisions.clear()

    def drop(self, row: SessionRow) -> None:
        """Delete the row of a session that is none any more."""
        self.changed.pop(row.session_id, None)
        self.gone.add(row.session_id)

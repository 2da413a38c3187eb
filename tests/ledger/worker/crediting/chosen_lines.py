"""Lines of people who chose about the session of `test_corrections`."""

from __future__ import annotations

from ledger.log.envelope import Choice, ChoiceKind
from tests.charging_day import Timed, at
from tests.ledger.worker.judged.test_corrections import SESSION


def chosen_about(
    choice: ChoiceKind,
    minutes: float,
    *lines: int,
    revision: int | None = None,
    session_id: str = SESSION,
) -> Timed:
    """Return the line of a person's *choice* about *lines* of the rating that is *revision*."""
    line = Choice(
        received_at=at(minutes),
        station=session_id.split("/", 1)[0],
        session_id=session_id,
        choice=choice,
        by="ann",
        reason="the driver could not leave",
        revision=revision,
        lines=lines,
    )
    return line.received_at, line.station, line

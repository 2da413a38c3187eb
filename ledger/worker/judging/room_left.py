"""Whether a stop that a person attests leaves the next session at that place what is its own.

What is attested of one session must not take from another: a plug has one car at a time, and no Wh
of a register is billed twice because somebody says so.

    08:00 with 1,000 Wh, no stop; the next one begins at 10:00 with 4,000 Wh
        -> it may have ended by 10:00, and with up to 4,000 Wh
    the next one begins with 0 Wh, a new meter -> until 10:00, with any register
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.facts.flags import Flag
from ledger.log.envelope import Attested
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import SessionRow


def leaves_room(row: SessionRow, said: Attested | None, others: Iterable[SessionRow]) -> bool:
    """Whether the session of *row* may have ended as *said*, of *others* at its station.

    It may where nothing is said.
    """
    if said is None:
        return True
    if row.started_at is None:
        return False
    after = [
        (each.started_at, each.session_id, each.meter_start_wh)
        for each in others
        if each.started_at is not None
        and each.started_at > row.started_at
        and _place(each) == _place(row)
        and each.session_id != row.session_id
        and each.state is not SessionState.REPLACED
        and Flag.DISSOLVED not in each.flags
    ]
    if not after:
        return True
    begins, _, register = min(after, key=lambda each: each[:2])
    if said.ended_at > begins:
        return False
    is_same_count = register is not None and register >= (row.meter_start_wh or 0)
    stop = said.meter_stop_wh
    return not is_same_count or stop is None or register is None or stop <= register


def _place(row: SessionRow) -> int | None:
    return row.connector_id if row.evse_id is None else row.evse_id

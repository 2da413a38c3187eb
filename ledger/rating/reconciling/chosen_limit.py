"""How far a driver let a session go, held against how far it went.

    a limit of 2000 Wh, 5000 Wh drawn           -> rated, with limit_exceeded and both figures
    a limit of 10.00 EUR, 10.00 with taxes      -> nothing is said
    one of 3600 s, connected for 3601           -> rated, with limit_exceeded

It is for the station to end in time; what flowed is owed by the tariff all the same. Whoever
answers the driver has to see both figures, though.

Source: OCPP 2.1 part 2, TransactionLimitType: cost in the tariff's currency, Wh, seconds from the
transaction's start to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import money_of_minor, plain

_SECOND: Final = timedelta(seconds=1)


def with_limits(rated: SessionRated, session: ChargingSession) -> SessionRated:
    """Return *rated* with a note for each limit of its *session* that was exceeded."""
    said = tuple(_exceeded(rated, session))
    if not said:
        return rated
    flags = tuple(sorted({*rated.flags, Flag.LIMIT_EXCEEDED}))
    return replace(rated, flags=flags, notes=(*rated.notes, *said))


def _exceeded(rated: SessionRated, session: ChargingSession) -> Iterator[Phrase]:
    limit = session.quote.limit if session.quote else None
    if limit is None:
        return
    cost = money_of_minor(rated.gross_minor, rated.currency)
    if limit.cost is not None and cost.amount > limit.cost:
        yield _note(f"{plain(limit.cost):f} {rated.currency}", str(cost))
    energy_wh = session.energy_wh
    if limit.energy_wh is not None and energy_wh is not None and energy_wh > limit.energy_wh:
        yield _note(f"{plain(limit.energy_wh):f} Wh", f"{plain(energy_wh):f} Wh")
    if limit.time_s is not None and session.started_at and session.ended_at:
        time_s = -((session.started_at - session.ended_at) // _SECOND)  # one begun counts whole
        if time_s > limit.time_s:
            yield _note(f"{limit.time_s} s", f"{time_s} s")


def _note(limit: str, reached: str) -> Phrase:
    return phrase("limit_exceeded", limit=limit, reached=reached)

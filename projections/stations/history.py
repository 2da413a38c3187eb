"""What a station's stored facts tell: the fold over all of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.facts.station_facts import StationFact
from ledger.facts.station_traits import StationTraits
from ledger.facts.stored import stored_facts
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told


class StationHistory(NamedTuple):
    """A station's facts and the sessions folded from them, by id."""

    facts: list[StationFact]
    sessions: dict[str, ChargingSession]
    traits: StationTraits


def station_history(
    connection: Connection[Any],
    declarations: Declarations,
    station_id: str,
    *,
    until_position: int | None = None,
) -> StationHistory:
    """Fold the stored facts of *station_id*, those up to a log position if one is given."""
    facts = [
        fact
        for fact in stored_facts(connection, station_id)
        if until_position is None or fact.position <= until_position
    ]
    traits = StationTraits() if not facts else declarations.traits(station_id, _last(facts))
    fold = fold_station(station_id, told(facts), traits)
    found = [
        session for transaction in fold.transactions() for session in fold.sessions(transaction)
    ]
    return StationHistory(facts, {session.session_id: session for session in found}, traits)


def _last(facts: list[StationFact]) -> datetime:
    return max(fact.received_at for fact in facts)

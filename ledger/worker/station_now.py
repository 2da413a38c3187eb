"""What goes on at a station now: the fold over what bears on its unfinished sessions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.rating.decisions import Moment
from ledger.sessions.session import ChargingSession
from ledger.sessions.told import TransactionTold
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.extent import horizon_of_rows
from ledger.worker.judging.findings import Findings
from ledger.worker.live_fold import LiveFold
from ledger.worker.live_folds import LiveFolds
from ledger.worker.recollection import Recollection
from ledger.worker.session_rows import RECENT, SessionRow
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import load_station_now


class StationNow(NamedTuple):
    """The rows of a station's unfinished sessions, what they are by now, from how many facts.

    `heard` is what names each of their transactions.
    """

    unfinished: list[SessionRow]
    sessions: dict[str, ChargingSession]
    facts: int
    heard: Mapping[str, TransactionTold] = MappingProxyType({})


def station_now(
    connection: Connection[Any], declarations: Declarations, station_id: str, since: datetime
) -> StationNow:
    """Fold what bears on the unfinished sessions of a station, as the worker folds it.

    What it costs hangs on what is going on there, not on what is long decided. *since*: no later
    than RECENT before the station was last heard.
    """
    shelf, memory = FactShelf(connection, 0), StationMemory()
    memory.absorb(*load_station_now(connection, station_id, since=since))
    # Of no record, so that every fact was known before it.
    moment = Moment(partition=0, position=-1, at=memory.heard_at)
    recollection = Recollection(
        connection, shelf, Findings(), LiveFolds(shelf), declarations.traits
    )
    extent = recollection.extent(station_id, memory, {}, moment)
    folded = [row for each in extent.values() for row in each.folded]
    horizon = horizon_of_rows(moment.at - RECENT, folded)
    live = LiveFold(station_id, declarations.traits(station_id, moment.at), horizon)
    live.follow(shelf, extent, horizon, moment.position)
    sessions = {
        session.session_id: session
        for transaction in extent
        for session in live.sessions(transaction)
    }
    heard = {transaction: live.heard(transaction) for transaction in extent}
    return StationNow(memory.unfinished, sessions, live.size - 1, heard)

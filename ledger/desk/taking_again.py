"""Letting a line that was set aside be taken again: a person's word, so a line of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.asides.stored import ListedAside, listed_asides
from ledger.desk.recording import WorkOff, record
from ledger.errors import LedgerError
from ledger.log.envelope import TakeAgain
from ledger.log.event_log import EventLog, Position


class NotSetAsideError(LedgerError):
    """Only a line that is set aside can be taken again."""

    def __init__(self, at: object) -> None:
        super().__init__(f"no line is set aside at {at}: `wattledger log set-aside` lists them")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAgain:
    """What became of a line that was let be taken again by the line `said_at`.

    `is_set_aside`: it raised once more, as `why` says.
    """

    at: Position
    station_id: str
    said_at: Position
    is_set_aside: bool
    why: str | None


def take_again(
    connection: Connection[Any],
    asides: list[ListedAside],
    *,
    by: str,
    at: datetime,
    log: EventLog,
    work_off: WorkOff | None,
) -> list[TakenAgain]:
    """Let each of *asides* be taken again, in their order; return what became of them.

    Where no system is up, *work_off* takes the worker's turn.
    """
    done = []
    for each in asides:
        line = TakeAgain(
            received_at=at,
            station=each.station_id,
            position=each.position,
            line=each.line,
            by=by,
        )
        said_at = record(connection, line, log=log, work_off=work_off, partition=each.partition)
        found = listed_asides(connection, station_id=each.station_id)
        own = (each.position, each.line)
        # Set aside anew, or the word itself is: then what it was about still is.
        again = [a for a in found if a.partition == each.partition and own == (a.position, a.line)]
        why = again[-1].why if again else None
        where = Position(each.partition, *own)
        done.append(
            TakenAgain(
                at=where,
                station_id=each.station_id,
                said_at=said_at,
                is_set_aside=bool(again),
                why=why,
            )
        )
    return done


def asides_at(connection: Connection[Any], at: Position) -> list[ListedAside]:
    """Return what is set aside at a line of the log: of a tick, one for each station.

    Raises:
        NotSetAsideError: If that is nothing.
    """
    found = [
        each
        for each in listed_asides(connection)
        if Position(each.partition, each.position, each.line) == at
    ]
    if not found:
        raise NotSetAsideError(at)
    return found


def asides_of(connection: Connection[Any], station_id: str) -> list[ListedAside]:
    """Return what is set aside of a station, in the order of the log.

    Raises:
        NotSetAsideError: If that is nothing.
    """
    found = listed_asides(connection, station_id=station_id)
    if not found:
        raise NotSetAsideError(station_id)
    return found

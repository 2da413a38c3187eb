"""`wattledger log`: the raw event log, as it is stored."""

from __future__ import annotations

import sys
from hashlib import sha256
from itertools import islice

from deploy.commands.place import READ_HERE, ReadingPlace
from deploy.errors import DeployError
from deploy.output import say
from deploy.running.wiring import opened
from ledger.log.envelope import Frame
from projections.log_reading import (
    LoggedLine,
    describe,
    parse_position,
    read_all,
    read_position,
    read_station,
)


def show(
    place_in_log: str | None = None,
    /,
    *,
    station: str | None = None,
    limit: int = 50,
    place: ReadingPlace = READ_HERE,
) -> int:
    """Show raw frames, verbatim, with our answers: one record, or what a station said.

    Args:
        place_in_log: PARTITION/POSITION or PARTITION/POSITION/LINE, as `explain` names it.
        station: What this station said, from the beginning.
        limit: At most so many lines of a station.
        place: Where.
    """
    if (place_in_log is None) == (station is None):
        message = "say which: a place (PARTITION/POSITION) or --station STATION"
        raise DeployError(message)
    with opened(place.settings()) as connection:
        if place_in_log is not None:
            lines = read_position(connection, *parse_position(place_in_log))
        else:
            lines = list(islice(read_station(connection, station or ""), limit))
    if not lines:
        message = f"nothing stands there: {place_in_log or station}"
        raise DeployError(message)
    for line in lines:
        _print(line, is_json=place.json)
        if place_in_log is not None and isinstance(line.line, Frame) and not place.json:
            say(f"  sha256 {sha256(line.line.frame.encode()).hexdigest()}")
    return 0


def export(*, station: str | None = None, place: ReadingPlace = READ_HERE) -> int:
    """Write the log to standard output as lines of JSON, each with its place.

    Args:
        station: Only what is about this station.
        place: Where.
    """
    with opened(place.settings()) as connection:
        lines = read_station(connection, station) if station else read_all(connection)
        for line in lines:
            _print(line, is_json=True)
    return 0


def _print(logged: LoggedLine, *, is_json: bool) -> None:
    at = str(logged.at)
    if is_json:
        sys.stdout.write(f'{{"at":"{at}","line":{logged.text}}}\n')
    else:
        moment = f"{logged.line.received_at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        say(f"{at}  {moment}Z  {describe(logged.line)}")

"""`wattledger log`: the raw event log, as it is stored."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json_text, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from projections.log_reading import LoggedLine


def show(
    log_position: str | None = None,
    /,
    *,
    station: str | None = None,
    limit: int = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show raw frames, verbatim, with our answers: one record, or what a station said.

    Who was erased has a subject id in their place.

    Args:
        log_position: PARTITION/POSITION or PARTITION/POSITION/LINE, as `explain` names it.
        station: What this station said, from the beginning.
        limit: At most so many lines of a station.
        folder: Where.
    """
    from ledger.log.envelope import Frame
    from projections.log_reading import as_they_came, parse_position, read_position, read_station

    if (log_position is None) == (station is None):
        message = "say which: a position (PARTITION/POSITION) or --station STATION"
        raise DeployError(message)
    with opened_with_log(folder.settings()) as (connection, log):
        if log_position is not None:
            lines = read_position(log, *parse_position(log_position))
        else:
            lines = list(islice(read_station(log, station or ""), limit))
        lines = as_they_came(connection, lines)
    if not lines:
        message = f"nothing stands there: {log_position or station}"
        raise DeployError(message)
    for line in lines:
        _print(line, is_json=folder.json)
        if log_position is not None and isinstance(line.line, Frame) and not folder.json:
            say(f"  sha256 {sha256(line.line.frame.encode()).hexdigest()}")
    return 0


def export(*, station: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Write the log to standard output as lines of JSON, each with its position.

    Lines are as they are stored: persons are sealed in them.

    Args:
        station: Only what is about this station.
        folder: Where.
    """
    from projections.log_reading import read_all, read_station

    with opened_with_log(folder.settings()) as (_, log):
        lines = read_station(log, station) if station else read_all(log)
        for line in lines:
            _print(line, is_json=True)
    return 0


def _print(logged: LoggedLine, *, is_json: bool) -> None:
    at = str(logged.at)
    if is_json:
        print_json_text(f'{{"at":"{at}","line":{logged.text}}}')
    else:
        from projections.log_reading import describe

        moment = f"{logged.line.received_at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        say(f"{at}  {moment}Z  {describe(logged.line)}")

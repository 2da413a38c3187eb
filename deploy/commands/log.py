"""`wattledger log`: the raw event log, as it is stored."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_json_text, print_rows, say
from deploy.running.opening import opened, opened_with_log
from deploy.running.owner import is_up

if TYPE_CHECKING:
    from projections.log_reading import LoggedLine


def show(
    log_position: str | None = None,
    /,
    *,
    station: str | None = None,
    limit: Limit = 50,
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


def set_aside(
    *,
    station: str | None = None,
    include_taken: Annotated[bool, Parameter(negative=())] = False,
    limit: Limit = 100,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List the lines that raised an error and were left out of the books.

    What such a line tells is neither billed nor in the balance. Mend what failed, then let it be
    taken again. Exits 1 while one is set aside, for whoever watches.

    Args:
        station: Only of this station.
        include_taken: Also those that were taken again.
        limit: At most so many.
        folder: Where.
    """
    from ledger.asides.stored import count_asides, listed_asides

    with opened(folder.settings()) as connection:
        lines = listed_asides(connection, station_id=station, limit=limit, is_all=include_taken)
        count = count_asides(connection)
    if folder.json:
        print_json({"lines": lines, "count": count})
        return 1 if count else 0
    rows = [
        (f"{a.partition}/{a.position}/{a.line}", a.station_id, a.reason, a.taken_at, a.why)
        for a in lines
    ]
    columns = {"line": "left", "station": "left", "reason": "left", "taken": "right", "why": "left"}
    print_rows("Lines set aside", columns, rows)
    if count:
        say(f"{count} lines are set aside. Look with: wattledger log show LINE")
        say("Once what failed is mended: wattledger log take-again LINE (or --station STATION)")
    return 1 if count else 0


def take_again(
    log_position: str | None = None,
    /,
    *,
    station: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let a line that was set aside be taken again, from now on in the log.

    Exits 1 if one is set aside once more.

    Args:
        log_position: PARTITION/POSITION/LINE, as `log set-aside` names it.
        station: All that are set aside of this station, in the order of the log.
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.running.turns import work_off
    from ledger.desk import taking_again
    from ledger.log.event_log import Position
    from projections.log_reading import parse_position

    if (log_position is None) == (station is None):
        message = "say which: a line (PARTITION/POSITION/LINE) or --station STATION"
        raise DeployError(message)
    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        if log_position is None:
            asides = taking_again.asides_of(connection, station or "")
        else:
            partition, position, line = parse_position(log_position)
            asides = taking_again.asides_at(connection, Position(partition, position, line or 0))
        done = taking_again.take_again(
            connection,
            asides,
            by=acting(by),
            at=SystemClock().now(),
            log=log,
            work_off=None if is_up(settings) else work_off,
        )
    if folder.json:
        print_json(done)
    for each in () if folder.json else done:
        what = f"is set aside once more: {each.why}" if each.is_set_aside else "is taken"
        say(f"{each.at} {what} (at {each.said_at.partition}/{each.said_at.position})")
    return 1 if any(each.is_set_aside for each in done) else 0


def _print(logged: LoggedLine, *, is_json: bool) -> None:
    at = str(logged.at)
    if is_json:
        print_json_text(f'{{"at":"{at}","line":{logged.text}}}')
    else:
        from projections.log_reading import describe

        moment = f"{logged.line.received_at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        say(f"{at}  {moment}Z  {describe(logged.line)}")

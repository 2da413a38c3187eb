"""`wattledger station list` and `show`: what stations are, and what goes on at them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows, say, shown
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.commands.outcome import CommandOutcome
    from projections.stations.detail import RunningSession, StationDetail, StationProblem
    from projections.stations.registered import RegisteredConnector

COMMANDS_SHOWN = 20
Connected = Annotated[
    bool | None, Parameter(negative="--not-connected", help="Only those that are, or are not.")
]
COLUMNS = {
    "station": "left",
    "site": "left",
    "model": "left",
    "firmware": "left",
    "online since": "left",
    "last frame": "left",
    "connectors": "left",
    "running": "right",
}


def listed(
    *,
    site: str | None = None,
    connected: Connected = None,
    after: str | None = None,
    limit: Limit = 100,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List the declared stations, each with its connection and its connectors.

    Args:
        site: Only those of this site.
        connected: Only those that are connected now, or only those that are not.
        after: Only those after this id: the next page.
        limit: At most so many.
        folder: Where.
    """
    from projections.stations.registered import read_stations

    with opened(folder.settings()) as connection:
        found = read_stations(
            connection,
            at=datetime.now(UTC),
            site=site,
            is_connected=connected,
            after=after,
            limit=limit,
        )
    if folder.json:
        print_json(found)
        return 0
    rows = [
        (
            each.id,
            each.site,
            _joined(each.vendor, each.model),
            each.firmware,
            each.connection.since if each.connection else None,
            each.last_frame_at,
            [_state_of(connector) for connector in each.connectors],
            len(each.running),
        )
        for each in found
    ]
    print_rows("Stations", COLUMNS, rows)
    if len(found) == limit:
        say(f"Perhaps there are more: --after {found[-1].id}")
    return 0


def show(station: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show a station: what it is, its connectors and faults, what runs there and what it was sent.

    Args:
        station: The station's id, however it is spelt.
        folder: Where.
    """
    from ingest.commands.asking import UnknownStationError, latest_commands
    from projections.stations.detail import read_station_detail

    with opened(folder.settings()) as connection:
        found = read_station_detail(connection, station, at=datetime.now(UTC))
        if found is None:
            raise UnknownStationError(station)
        commands = latest_commands(connection, found.id, limit=COMMANDS_SHOWN)
    if folder.json:
        print_json(_as_json(found, commands))
        return 0
    _say_station(found)
    print_rows("Connectors", _CONNECTOR_COLUMNS, [_connector(e) for e in found.connectors])
    print_rows("Running sessions", _SESSION_COLUMNS, [_session(e) for e in found.sessions])
    print_rows("Commands", _COMMAND_COLUMNS, [_command(e) for e in commands])
    events = [(e.received_at, e.told_at, e.type, e.spot) for e in found.security_events]
    print_rows("Security events", _EVENT_COLUMNS, events)
    return 0


_CONNECTOR_COLUMNS = {
    "EVSE": "right",
    "connector": "right",
    "status": "left",
    "error": "left",
    "since": "left",
}
_SESSION_COLUMNS = {
    "session": "left",
    "EVSE": "right",
    "token": "left",
    "started": "left",
    "kWh": "right",
    "cost so far": "left",
}
_COMMAND_COLUMNS = {"asked": "left", "by": "left", "action": "left", "state": "left", "answer": ""}
_EVENT_COLUMNS = {"received": "left", "told at": "left", "event": "left", "in the log": "left"}


def _as_json(station: StationDetail, commands: list[CommandOutcome]) -> dict[str, Any]:
    import msgspec

    return {**msgspec.structs.asdict(station), "commands": commands}


def _say_station(station: StationDetail) -> None:
    from deploy.commands.stations.setting import settings_lines

    link = station.connection
    online = f"since {shown(link.since)}, {link.protocol}" if link else "no"
    faults = [_fault(each) for each in station.connectors if each.is_faulted]
    faults += [_problem(each) for each in station.problems]
    if station.error is not None:
        faults.insert(0, station.error)
    say(
        f"station     {station.id}",
        f"site        {station.site}",
        f"model       {_joined(station.vendor, station.model) or '-'}",
        f"firmware    {shown(station.firmware)}",
        f"serial      {shown(station.serial)}",
        f"booted      {shown(station.booted_at)}",
        f"online      {online}",
        f"last frame  {shown(station.last_frame_at)}",
        f"faults      {shown(faults)}",
        *(f"{name:<12}{value}" for name, value in settings_lines(station.settings)),
    )


def _joined(*words: str | None) -> str | None:
    return " ".join(each for each in words if each) or None


def _place(connector: RegisteredConnector) -> str:
    if connector.connector in (0, 1, connector.evse):
        return str(connector.evse)
    return f"{connector.evse}/{connector.connector}"


def _state_of(connector: RegisteredConnector) -> str:
    error = f" ({connector.error})" if connector.error else ""
    return f"{_place(connector)} {connector.status or '-'}{error}"


def _fault(connector: RegisteredConnector) -> str:
    said: Iterable[str | None] = (connector.error or connector.status, connector.problem)
    return f"{_place(connector)}: {_joined(*said)}"


def _problem(problem: StationProblem) -> str:
    place = f"{problem.evse}: " if problem.evse else ""
    return f"{place}{_joined(problem.component, problem.code)}"


def _connector(connector: RegisteredConnector) -> tuple[object, ...]:
    error = _joined(connector.error, connector.problem)
    return connector.evse, connector.connector, connector.status, error, connector.since


def _session(session: RunningSession) -> tuple[object, ...]:
    kwh = None if session.energy_wh is None else session.energy_wh / 1000
    cost = f"{session.gross} {session.currency}" if session.gross else shown(session.reasons)
    where = session.ref, session.evse, session.token, session.started_at
    return *where, kwh, cost


def _command(outcome: CommandOutcome) -> tuple[object, ...]:
    answer: str | None = None
    if outcome.error is not None:
        answer = f"{outcome.error.code} {outcome.error.description}".rstrip()
    elif outcome.response is not None:
        answer = bytes(outcome.response).decode()
    return outcome.asked_at, outcome.asked_by, outcome.action, outcome.state, answer

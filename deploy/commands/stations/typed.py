"""`wattledger station start`, `stop` and the other calls that most people want."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder

Evse = Annotated[int | None, Parameter(help="The EVSE; of OCPP 1.6 the connector.")]
Hard = Annotated[bool, Parameter(negative=(), help="At once, whatever is charging.")]


def start(
    station: str, *, token: str, evse: Evse = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station to start charging.

    Args:
        station: The station's id.
        token: Whose charging it is.
        evse: The EVSE; of OCPP 1.6 the connector.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda protocol: typed.start(protocol, token=token, evse=evse))


def stop(station: str, *, transaction: str, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station to stop a transaction.

    Args:
        station: The station's id.
        transaction: The transaction's id, as the station has it.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda protocol: typed.stop(protocol, transaction=transaction))


def unlock(
    station: str, *, evse: int, connector: int = 1, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station to unlock a connector.

    Args:
        station: The station's id.
        evse: The EVSE; of OCPP 1.6 the connector.
        connector: The connector at that EVSE.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(
        folder,
        station,
        lambda protocol: typed.unlock(protocol, evse=evse, connector=connector),
    )


def reset(station: str, *, hard: Hard = False, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station to restart.

    Args:
        station: The station's id.
        hard: At once, whatever is charging.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda protocol: typed.reset(protocol, is_hard=hard))


def availability(
    station: str,
    state: Literal["operative", "inoperative"],
    *,
    evse: Evse = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Ask a station to open or close an EVSE, or all of it.

    Args:
        station: The station's id.
        state: operative or inoperative.
        evse: The EVSE; of OCPP 1.6 the connector.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    is_operative = state == "operative"
    return send(
        folder,
        station,
        lambda protocol: typed.availability(protocol, is_operative=is_operative, evse=evse),
    )


def trigger(
    station: str, message: str, *, evse: Evse = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station to say something now.

    Args:
        station: The station's id.
        message: What: StatusNotification, MeterValues, BootNotification, Heartbeat.
        evse: The EVSE; of OCPP 1.6 the connector.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(
        folder, station, lambda protocol: typed.trigger(protocol, message=message, evse=evse)
    )


def get(station: str, *names: str, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station for its configuration keys (1.6; none named: all) or variables.

    Args:
        station: The station's id.
        names: Keys, or variables as COMPONENT.VARIABLE.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda protocol: typed.get_variables(protocol, names=names))


def change(station: str, name: str, value: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station to set a configuration key (1.6) or a variable.

    Args:
        station: The station's id.
        name: The key, or the variable as COMPONENT.VARIABLE.
        value: What it is set to.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(
        folder, station, lambda protocol: typed.set_variable(protocol, name=name, value=value)
    )

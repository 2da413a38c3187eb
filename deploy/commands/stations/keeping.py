"""`wattledger station reserve`, `charging-profile` and what else a station is to keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, LiteralString

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError

MINUTES = 30
MINUTES_MAX = 365 * 24 * 60
Evse = Annotated[int | None, Parameter(help="The EVSE; of OCPP 1.6 the connector.")]
_PROFILE: LiteralString = "SELECT profile FROM charging_profile WHERE name = %s"


class UnknownProfileError(DeployError):
    """No charging profile has that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"there is no charging profile {name}: @FILE sends one from a file, "
            "PUT /charging-profiles/NAME keeps one"
        )


def reserve(
    station: str,
    *,
    token: str,
    evse: Evse = None,
    minutes: Annotated[int, Parameter(validator=Number(gte=1, lte=MINUTES_MAX))] = MINUTES,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Ask a station to keep an EVSE free for a token; the number is ours.

    Args:
        station: The station's id.
        token: For whom.
        evse: The EVSE; of OCPP 1.6 the connector. None: any of them.
        minutes: For how long.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    until = datetime.now(UTC) + timedelta(minutes=minutes)
    return send(
        folder,
        station,
        lambda protocol: typed.reserve(protocol, token=token, until=until, evse=evse),
    )


def cancel_reservation(
    station: str, reservation: int, *, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station to give a reservation up.

    Args:
        station: The station's id.
        reservation: The reservation's number.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda _: typed.cancel_reservation(reservation=reservation))


def charging_profile(
    station: str, profile: str, *, evse: int = 0, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station to charge by a profile, by its name or from a file.

    Args:
        station: The station's id.
        profile: The profile's name, or @FILE with one in the words of the station's version.
        evse: The EVSE; of OCPP 1.6 the connector. 0: the whole station.
        folder: Where.
    """
    from deploy.commands.stations.calling import content_of, send
    from ingest.commands import typed

    content = content_of(profile) if profile.startswith("@") else _named(profile, folder)
    return send(
        folder,
        station,
        lambda protocol: typed.set_charging_profile(protocol, profile=content, evse=evse),
    )


def clear_charging_profile(
    station: str,
    *,
    profile: int | None = None,
    evse: Evse = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Ask a station to forget a charging profile, those of an EVSE, or all.

    Args:
        station: The station's id.
        profile: The id in the profile.
        evse: The EVSE; of OCPP 1.6 the connector.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(
        folder,
        station,
        lambda protocol: typed.clear_charging_profile(protocol, profile=profile, evse=evse),
    )


def _named(name: str, folder: ReadingFolder) -> str:
    from deploy.running.opening import opened

    with opened(folder.settings()) as connection:
        row = connection.execute(_PROFILE, (name,)).fetchone()
    if row is None:
        raise UnknownProfileError(name)
    return str(row[0])

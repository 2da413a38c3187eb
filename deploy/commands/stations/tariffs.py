"""`wattledger station tariff`: which tariffs lie in a station of OCPP 2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder

if TYPE_CHECKING:
    from ledger.master_data.tariff_versions import TariffVersion
    from tariffs.ocpp21.messages import OcppTariff

Decimals = Annotated[
    int | None, Parameter(help="Places of a price that has no end; without it that is refused.")
]
Approximate = Annotated[
    bool,
    Parameter(negative=(), help="Send it although the station will reckon another cost than ours."),
]


def set_default(
    station: str,
    *,
    evse: int = 0,
    decimals: Decimals = None,
    approximate: Approximate = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send a station of OCPP 2.1 the tariff in force there for whoever comes.

    Its name there says which published version it is. What OCPP 2.1 cannot say as it is billed is
    refused, with the reason.

    Args:
        station: The station's id.
        evse: The EVSE; 0 for all.
        decimals: Places of a price that has no end; without it that is refused.
        approximate: Send it although the station will reckon another cost than ours.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.stations.calling import send
    from deploy.running.opening import opened
    from ingest.commands import typed
    from projections.stations.tariffs import tariff_of_everybody

    with opened(folder.settings()) as connection:
        version = tariff_of_everybody(connection, station, SystemClock().now())
    tariff = _said(version, decimals, approximate=approximate)
    return send(
        folder, station, lambda protocol: typed.set_tariff(protocol, tariff=tariff, evse=evse)
    )


def change(
    station: str,
    *,
    transaction: str,
    decimals: Decimals = None,
    approximate: Approximate = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send a station of OCPP 2.1 the tariff by which a transaction will be billed.

    Args:
        station: The station's id.
        transaction: The transaction's id, as the station has it.
        decimals: Places of a price that has no end; without it that is refused.
        approximate: Send it although the station will reckon another cost than ours.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from deploy.running.opening import opened
    from ingest.commands import typed
    from projections.stations.tariffs import tariff_of_transaction

    with opened(folder.settings()) as connection:
        version = tariff_of_transaction(connection, station, transaction)
    tariff = _said(version, decimals, approximate=approximate)
    return send(
        folder,
        station,
        lambda protocol: typed.change_tariff(protocol, transaction=transaction, tariff=tariff),
    )


def get(station: str, *, evse: int = 0, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station of OCPP 2.1 which tariffs lie in it.

    Args:
        station: The station's id.
        evse: The EVSE; 0 for all.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(folder, station, lambda protocol: typed.get_tariffs(protocol, evse=evse))


def clear(
    station: str, *tariffs: str, evse: int | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Take tariffs away from a station of OCPP 2.1.

    All of them where none is named.

    Args:
        station: The station's id.
        tariffs: Their names there, as `station tariff get` shows them.
        evse: Only those of this EVSE.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import typed

    return send(
        folder,
        station,
        lambda protocol: typed.clear_tariffs(protocol, tariff_ids=tariffs, evse=evse),
    )


def _said(version: TariffVersion, decimals: int | None, *, approximate: bool) -> OcppTariff:
    from tariffs.ocpp21.stations import ROUNDED, station_tariff

    accepted = None if approximate else ROUNDED if decimals is not None else ()
    return station_tariff(version.tariff, version.sha256, decimals=decimals, accepted=accepted)

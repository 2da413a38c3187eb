"""By which published tariff a station's sessions are priced: of whoever comes, of one that runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.identities import canonical
from ledger.declared.store import load_declarations
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.basis import terms_of
from ledger.worker.session_rows import RECENT
from ledger.worker.station_now import station_now
from projections.errors import ProjectionError
from projections.session_costs import HEARD


class NoTariffError(ProjectionError):
    """Nothing prices what is asked for."""


def tariff_of_everybody(
    connection: Connection[Any], station_id: str, at: datetime
) -> TariffVersion:
    """Return what prices a session that somebody whom we do not know begins at a station.

    Args:
        connection: To the books.
        station_id: The station, however its identity is spelt.
        at: When it begins.

    Raises:
        NoTariffError: If no such tariff is in force there.
    """
    declarations = load_declarations(connection)
    found = declarations.tariff_for(_declared(declarations, station_id), None, at)
    if found is None:
        message = f"no tariff of whoever comes is in force at {station_id}: assign one to its site"
        raise NoTariffError(message)
    return found.version


def tariff_of_transaction(
    connection: Connection[Any], station_id: str, transaction: str
) -> TariffVersion:
    """Return what prices the session of a transaction that runs: what was in force at its start.

    Args:
        connection: To the books.
        station_id: The station, however its identity is spelt.
        transaction: The transaction's id, as the station has it.

    Raises:
        NoTariffError: If no such session is open, or nothing prices it.
    """
    declarations = load_declarations(connection)
    declared = _declared(declarations, station_id)
    for name, heard_at in connection.execute(HEARD, ([declared],)).fetchall():
        now = station_now(connection, declarations, name, heard_at - RECENT)
        for row in now.unfinished:
            session = now.sessions.get(row.session_id)
            if session is None or row.transaction_ref != transaction:
                continue
            basis = terms_of(session, declarations).basis
            if basis is None:
                message = f"no tariff prices the transaction {transaction} of {station_id}"
                raise NoTariffError(message)
            return basis.tariff.version
    message = f"no session of the transaction {transaction} is open at {station_id}"
    raise NoTariffError(message)


def _declared(declarations: Declarations, station_id: str) -> str:
    """Return a station's id as it is declared."""
    wanted = canonical(station_id)
    keys = declarations.keys(Kind.STATION)
    return next((key for key in keys if canonical(key) == wanted), station_id)

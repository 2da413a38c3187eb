"""The partner's instance: its database, beside the demo's in one server, and its master data."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.conninfo import make_conninfo

from deploy.demo.master_data import EXAMPLES, NoExamplesError, apply_named
from deploy.running.log_store import open_event_log
from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect, dsn_of
from ledger.declared.store import load_declarations

OURS: Final = "DE-HBC"
"""The party of the demo's stations."""
THEIRS: Final = "FR-MRL"
"""The partner, whose drivers charge there."""
_DATABASE: Final = "wattledger_partner"


def partner_dsn(connection: Connection[object]) -> str:
    """Return where the partner's database is, beside that of *connection*."""
    return make_conninfo(dsn_of(connection), dbname=_DATABASE)


def partner_settings(settings: Settings, dsn: str) -> Settings:
    """Return the partner's settings: its own folder and database; its log is in that, too."""
    return replace(settings, data=settings.data / "partner", database_url=dsn, log=Settings().log)


def declare_partner(
    connection: Connection[object], settings: Settings, *, at: datetime
) -> tuple[str, list[str]]:
    """Make the partner's database, and declare its side there.

    Args:
        connection: To the demo's own database.
        settings: The demo's own.
        at: When.

    Returns:
        Where the database is, and the tokens of the partner's drivers.
    """
    file = EXAMPLES / "partner.yaml"
    if not file.is_file():
        raise NoExamplesError(EXAMPLES)
    connection.execute(f"CREATE DATABASE {_DATABASE}".encode())
    dsn = partner_dsn(connection)
    settings = partner_settings(settings, dsn)
    settings.data.mkdir()
    prepare(dsn, settings)
    with connect(dsn) as theirs, closing(open_event_log(dsn, settings)) as log:
        master_data = [(file.read_text("utf-8"), str(file))]
        applied = apply_named(theirs, master_data, log=log, at=at)
        declared = load_declarations(theirs)
    drivers = {subject: uid.upper() for subject, uid in applied.names.items()}
    return dsn, sorted(uid for subject, uid in drivers.items() if declared.token(subject, at))

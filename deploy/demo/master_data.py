"""The demo's master data: the example tariffs and the example fleet."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from deploy.errors import DeployError
from deploy.example_files import examples_folder
from deploy.fleet.planning import StationBrief
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import apply_files
from ledger.desk.publish import publish_files
from ledger.log.event_log import EventLog

EXAMPLES: Final = examples_folder()
DECLARED_AT: Final = datetime(2026, 2, 27, 9, tzinfo=UTC)
GUESTS: Final = {
    "harbour": ("drivers", "roaming"),
    "linden-court": ("resident",),
    "quayside": ("london",),
}
"""Which token groups charge at which site."""


class NoExamplesError(DeployError):
    """The demo's files are not there: it runs from a clone of the repository."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the demo reads {folder}, which is not there: run it in a clone")


def declare_fleet(connection: Connection[Any], log: EventLog) -> list[StationBrief]:
    """Publish the example tariffs, apply the example fleet; return the stations with their keys."""
    tariffs = sorted([*EXAMPLES.glob("tariffs/*.yaml"), *EXAMPLES.glob("demo/*.yaml")])
    fleet = EXAMPLES / "fleet.yaml"
    if not tariffs or not fleet.is_file():
        raise NoExamplesError(EXAMPLES)
    texts = [(path.read_text("utf-8"), str(path)) for path in tariffs]
    publish_files(connection, texts, log=log, by="demo", at=DECLARED_AT)
    master_data = [(fleet.read_text("utf-8"), str(fleet))]
    applied = apply_files(connection, master_data, log=log, by="demo", at=DECLARED_AT)
    return _briefs(load_declarations(connection), applied.passwords)


def _briefs(known: Declarations, passwords: dict[str, str]) -> list[StationBrief]:
    tokens: dict[str | None, list[str]] = {}
    for uid in known.keys(Kind.TOKEN):
        token = known.token(uid, DECLARED_AT)
        tokens.setdefault(token.group if token else None, []).append(uid.upper())
    briefs = []
    for station_id, password in passwords.items():
        station = known.station(station_id, DECLARED_AT)
        assert station is not None, station_id
        guests = [uid for group in GUESTS[station.site] for uid in tokens[group]]
        briefs.append(
            StationBrief(
                station_id=station_id,
                password=password,
                connectors=len(station.connectors),
                power_w_max=int(station.max_power_w or 22_080),
                token_uids=guests,
            )
        )
    return briefs

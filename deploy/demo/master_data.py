"""The demo's master data: the example tariffs and the example fleet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha512
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from deploy.document_means import InstalledMeans
from deploy.errors import DeployError
from deploy.example_files import examples_folder
from deploy.fleet.planning import StationBrief
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.apply import Applied, apply_files
from ledger.desk.master_data_files import read_master_data
from ledger.desk.publish import publish_files
from ledger.log.event_log import EventLog
from ledger.persons.holders import customer_holder, token_holder
from ledger.persons.sealing import Subject
from ledger.persons.store import MAKE

EXAMPLES: Final = examples_folder()
DECLARED_AT: Final = datetime(2026, 2, 27, 9, tzinfo=UTC)
GUESTS: Final = {
    "harbour": ("drivers", "roaming"),
    "linden-court": ("resident",),
    "quayside": ("london",),
}
"""Which token groups charge at which site."""
PARTNERS_SITE: Final = "harbour"
"""Where the roaming partner's drivers charge."""


class NoExamplesError(DeployError):
    """The demo's files are not there: it runs from a clone of the repository."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the demo reads {folder}, which is not there: run it in a clone")


def declare_fleet(
    connection: Connection[Any], log: EventLog, *, partner_uids: Sequence[str] = ()
) -> list[StationBrief]:
    """Publish the example tariffs, apply the example fleet; return the stations with their keys.

    *partner_uids* are the tokens of the roaming partner's drivers, which nobody declares here.
    """
    tariffs = sorted([*EXAMPLES.glob("tariffs/*.yaml"), *EXAMPLES.glob("demo/*.yaml")])
    fleet = EXAMPLES / "fleet.yaml"
    if not tariffs or not fleet.is_file():
        raise NoExamplesError(EXAMPLES)
    texts = [(path.read_text("utf-8"), str(path)) for path in tariffs]
    publish_files(connection, texts, log=log, by="demo", at=DECLARED_AT)
    master_data = [(fleet.read_text("utf-8"), str(fleet))]
    applied = apply_named(connection, master_data, log=log, at=DECLARED_AT)
    return _briefs(load_declarations(connection), applied, partner_uids)


def apply_named(
    connection: Connection[Any],
    files: Sequence[tuple[str, str]],
    *,
    log: EventLog,
    at: datetime,
) -> Applied:
    """Apply master data of *files* (text and name), with the same subject ids each time."""
    _give_subjects(connection, files)
    return apply_files(connection, files, log=log, by="demo", at=at, means=InstalledMeans())


def _give_subjects(connection: Connection[Any], files: Sequence[tuple[str, str]]) -> None:
    """Give everyone declared a subject that sorts as the name: invoices are numbered in its order.

    Subjects are random otherwise, and the demo's figures are to be the same each time.
    """
    data = read_master_data(files, Declarations())
    tokens = map(token_holder, sorted(data.spelt.values()))
    holders = [*filter(None, tokens), *map(customer_holder, sorted(data.details))]
    for number, holder in enumerate(holders):
        subject = Subject(f"p-{number:032x}", sha512(holder.name.encode()).digest())
        row = (str(holder.kind), holder.name, holder.spelt, *subject)
        connection.execute(MAKE, [[column] for column in row])


def _briefs(
    known: Declarations, applied: Applied, partner_uids: Sequence[str]
) -> list[StationBrief]:
    tokens: dict[str | None, list[str]] = {}
    # By name: subject ids are random, and the month must be the same each time.
    for subject, uid in sorted(applied.names.items(), key=itemgetter(1)):
        if token := known.token(subject, DECLARED_AT):
            tokens.setdefault(token.group, []).append(uid.upper())
    briefs = []
    for station_id, password in applied.passwords.items():
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
                partner_uids=partner_uids if station.site == PARTNERS_SITE else (),
            )
        )
    return briefs

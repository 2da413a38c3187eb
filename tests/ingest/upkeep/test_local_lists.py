"""Local lists follow the declared tokens: whole, by what changed, in parts, and after a mishap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.commands.asking import StationCommands
from ingest.commands.store import PostgresCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.persons.subjects import PostgresSubjects
from ingest.upkeep.list_keeping import ListKeeper, ListRefusedError
from ingest.upkeep.list_limits import ITEMS_MAX
from ledger.database import connect, connect_async
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from tests.edge import PASSWORD, Edge, open_edge
from tests.fakes import FixedClock
from tests.ingest.upkeep.listing import Listing

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MASTER = f"""
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {{name: Watt, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}}
sites:
  harbour: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR,
    local_list: differential}}
  hotel: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}}
stations:
  CP1: {{site: harbour, password: {PASSWORD}}}
customers:
  ada: {{name: Ada, pays_in_advance: true}}
tokens:
  PAYS: {{customer: ada}}
  FAMILY: {{}}
  ONE: {{parent: FAMILY, expires_at: "2027-01-01T00:00:00Z"}}
  TWO: {{}}
  THERE: {{sites: [hotel]}}
  LOST: {{status: blocked}}
  OVER: {{expires_at: "2026-01-01T00:00:00Z"}}
  DAY: {{hours: [{{start: "07:00:00", end: "19:00:00"}}]}}
  GUARD: {{parent: FAMILY, is_master_pass: true}}
  A-TOKEN-OF-MORE-THAN-TWENTY-CHARACTERS: {{}}
"""
ALL = {"FAMILY", "ONE", "TWO"}


class Depot:
    """The edge, the keeper of its lists and the declarations behind them."""

    def __init__(self, dsn: str, edge: Edge, keeper: ListKeeper) -> None:
        self.dsn, self.edge, self.keeper = dsn, edge, keeper

    def declare(self, text: str) -> None:
        with connect(self.dsn) as connection, PostgresEventLog(self.dsn) as log:
            files = [(f"valid_from: 2020-01-01T00:00:00Z\n{text}", "more.yaml")]
            apply_files(connection, files, log=log, by="t", at=NOON)

    async def round(self) -> int:
        await asyncio.sleep(0.55)  # as fresh as the declarations are
        return await self.keeper.round()

    def row(self) -> tuple[Any, ...]:
        with connect(self.dsn) as connection:
            found: tuple[Any, ...] | None = connection.execute(
                "SELECT version, entries, problem FROM local_list"
            ).fetchone()
        assert found is not None
        return found


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def depot(database: str, tmp_path: Path, exits: AsyncExitStack) -> Depot:
    prepare(database, Settings(data=tmp_path, partitions=1))

    def connected() -> Any:  # noqa: ANN401 - psycopg's own type
        return connect_async(database)

    clock, subjects = FixedClock(), PostgresSubjects(connected)
    directory = DeclaredDirectory(database, clock)
    epochs, calls = PostgresEpochs(connected), PostgresCommands(connected)
    commands = StationCommands(connected, directory=directory, subjects=subjects, clock=clock)
    for each in (subjects, directory, epochs, calls, commands):
        exits.push_async_callback(each.close)
    following = asyncio.create_task(commands.follow())
    exits.callback(following.cancel)
    keeper = ListKeeper(connected, directory=directory, commands=commands, clock=clock)
    edge = open_edge(directory=directory, subjects=subjects, epochs=epochs, commands=calls)
    depot = Depot(database, await exits.enter_async_context(edge), keeper)
    depot.declare(MASTER.removeprefix("\nvalid_from: 2020-01-01T00:00:00Z\n"))
    return depot


async def connected(
    exits: AsyncExitStack, depot: Depot, listing: Listing, protocol: str = "ocpp1.6"
) -> AsyncExitStack:
    """Let CP1 connect; return what disconnects it."""
    link = await exits.enter_async_context(AsyncExitStack())
    station = await link.enter_async_context(depot.edge.station(protocol=protocol))
    await station.call("Heartbeat", {})
    listing.is_old = protocol == "ocpp1.6"
    serving = asyncio.create_task(listing.serve(station))
    link.callback(serving.cancel)
    return link


async def test_a_list_is_sent_whole_in_parts_and_then_by_what_changed(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    await connected(exits, depot, listing)

    assert await depot.round() == 1
    assert listing.held == {
        "FAMILY": {"status": "Accepted"},
        "ONE": {
            "status": "Accepted",
            "expiryDate": "2027-01-01T00:00:00.000Z",
            "parentIdTag": "FAMILY",
        },
        "TWO": {"status": "Accepted"},
    }
    assert [each["updateType"] for each in listing.updates] == ["Full", "Differential"]
    assert depot.row()[0] == listing.version == 2
    # Nobody who stands in it is in the log in clear.
    logged = b"".join(line for part in depot.edge.log.records.values() for line in part)
    with connect(depot.dsn) as connection:
        rows = connection.execute("SELECT string_agg(frame, '') FROM station_command").fetchone()
    assert rows is not None
    logged += rows[0]
    assert b"SendLocalList" in logged
    assert b"FAMILY" not in logged

    assert await depot.round() == 0

    depot.declare("tokens:\n  TWO: {status: blocked}\n  NEW: {}\n")
    listing.updates.clear()
    assert await depot.round() == 1
    assert set(listing.held) == {"FAMILY", "ONE", "NEW"}
    assert [(e["updateType"], e["listVersion"]) for e in listing.updates] == [("Differential", 3)]
    assert {"idTag": "TWO"} in listing.updates[0]["localAuthorizationList"]


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])
async def test_a_later_version_has_also_what_1_6_cannot_hold(
    depot: Depot, exits: AsyncExitStack, protocol: str
) -> None:
    listing = Listing()
    await connected(exits, depot, listing, protocol)

    await depot.round()

    long = {"A-TOKEN-OF-MORE-THAN-TWENTY-CHARACTERS"} if protocol == "ocpp2.1" else set()
    assert set(listing.held) == ALL | {"GUARD"} | long
    assert listing.held["GUARD"]["groupIdToken"] == {"idToken": "FAMILY", "type": "Central"}


async def test_a_station_that_moves_has_who_may_charge_at_its_new_site(
    depot: Depot, exits: AsyncExitStack
) -> None:
    depot.declare("tokens:\n  HERE: {sites: [harbour]}\n")
    listing = Listing()
    await connected(exits, depot, listing)
    await depot.round()
    assert set(listing.held) == ALL | {"HERE"}
    depot.declare(
        f"stations:\n  CP1: {{site: hotel, password: {PASSWORD}, local_list: differential}}\n"
    )
    listing.updates.clear()

    await depot.round()

    assert set(listing.held) == ALL | {"THERE"}
    assert [each["updateType"] for each in listing.updates] == ["Differential"]


async def test_a_station_that_comes_back_with_the_same_version_is_only_asked(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    link = await connected(exits, depot, listing)
    await depot.round()
    await link.aclose()
    listing.updates.clear()
    await connected(exits, depot, listing)

    assert [await depot.round(), await depot.round()] == [1, 0]
    assert listing.updates == []


async def test_a_station_that_comes_back_with_another_version_gets_all_of_it(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    link = await connected(exits, depot, listing)
    await depot.round()
    await link.aclose()
    emptied = Listing(version=9)
    await connected(exits, depot, emptied)

    await depot.round()

    assert set(emptied.held) == ALL
    assert emptied.updates[0]["updateType"] == "Full"
    assert emptied.version > 9


@pytest.mark.parametrize("refused", ["Failed", "VersionMismatch"])
async def test_a_refused_change_is_followed_by_all_of_it(
    depot: Depot, exits: AsyncExitStack, refused: str
) -> None:
    listing = Listing()
    await connected(exits, depot, listing)
    await depot.round()
    depot.declare("tokens:\n  NEW: {}\n")
    listing.updates.clear()
    listing.refuses = [refused]

    await depot.round()

    assert set(listing.held) == ALL | {"NEW"}
    kinds = [each["updateType"] for each in listing.updates]
    assert kinds == ["Differential", "Full", "Differential"]
    assert depot.row()[1:] == (5, None)  # with the one that is too long for this station


async def test_what_is_refused_altogether_is_said_and_left_for_an_hour(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    listing.refuses = ["NotSupported"]
    await connected(exits, depot, listing)

    assert [await depot.round(), await depot.round()] == [1, 0]
    assert depot.row() == (0, 0, "it answered NotSupported")
    with connect(depot.dsn) as connection:
        connection.execute("UPDATE local_list SET tried_at = now() - interval '61 min'")
    assert await depot.round() == 1
    assert set(listing.held) == ALL


async def test_a_list_that_is_too_long_for_its_station_is_not_cut_short(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    listing.length_max = 2
    await connected(exits, depot, listing)

    await depot.round()

    assert listing.updates == []
    assert depot.row()[2] == "it holds 2 tokens, and 3 may charge there"


async def test_who_was_erased_is_taken_off_by_a_full_list(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing()
    await connected(exits, depot, listing)
    await depot.round()
    holder = token_holder("TWO")
    assert holder is not None
    with connect(depot.dsn) as connection:
        depot.declare("tokens:\n  TWO: null\n")
        erase(connection, [find(connection, [holder])[holder.kind, holder.name].id])
    listing.updates.clear()

    await depot.round()

    assert set(listing.held) == {"FAMILY", "ONE"}
    assert listing.updates[0]["updateType"] == "Full"


async def test_a_station_without_the_policy_is_left_alone(
    depot: Depot, exits: AsyncExitStack
) -> None:
    depot.declare(f"stations:\n  CP1: {{site: harbour, password: {PASSWORD}, local_list: 'off'}}\n")
    await connected(exits, depot, Listing())

    assert await depot.round() == 0


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("seven", "its version: Expected"),
        (msgspec.Raw(b"1e999"), "its version: Expected"),
        (msgspec.Raw(b"1e9999999999999999999"), "its version: Expected"),
        (2**31, "can be raised no more"),
        (None, "no local list"),
    ],
)
async def test_what_is_no_version_is_said_and_left_for_an_hour(
    depot: Depot,
    exits: AsyncExitStack,
    version: Any,  # noqa: ANN401 - any JSON
    why: str,
) -> None:
    await connected(exits, depot, Listing(version=version))

    assert [await depot.round(), await depot.round()] == [1, 0]
    assert why in depot.row()[2]


async def test_a_station_that_does_not_say_its_limits_may_take_a_list_all_the_same(
    depot: Depot, exits: AsyncExitStack
) -> None:
    listing = Listing(items_max=ITEMS_MAX)
    listing.is_secretive = True
    await connected(exits, depot, listing)

    await depot.round()

    assert set(listing.held) == ALL


async def test_a_station_that_has_no_lists_says_so(depot: Depot, exits: AsyncExitStack) -> None:
    await connected(exits, depot, Listing(version=-1))
    kept = await depot.keeper.list_of("CP1")
    assert kept is not None

    with pytest.raises(ListRefusedError, match="it has no local lists"):
        await depot.keeper.send(kept)

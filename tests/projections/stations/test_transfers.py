"""How far a station says that it is with files, and whose request that was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ingest.files.addresses import AddressFor, make_address
from ingest.files.contents import store_content
from ledger.worker.stored.station_states import TRANSFERS_KEPT
from projections.sessions import list_sessions
from projections.stations.files import StationFile, read_files
from tests.charging_day import Timed, at, call, declare_fleet, everywhere, start16, write_log
from tests.projections.books_of_a_day import ask, go_on

ONE, TWO = "CS-OLD-1", "CS-NEW-1"


def told(station: str, minutes: float, kind: str, **said: Any) -> Timed:  # noqa: ANN401 - JSON
    return call(station, minutes, f"{kind}StatusNotification", said, {})


@pytest.fixture
def fleet(database: str) -> str:
    write_log(database, list(everywhere(declare_fleet(database), 0)))
    return database


def request(dsn: str, station: str, minutes: float) -> int:
    """Make an address as of then, have a file come there, and return its number."""
    with ask(dsn) as connection:
        made = make_address(connection, "https://f.example", AddressFor(station, uuid4()))
        connection.execute(
            "UPDATE file_address SET made_at = %s WHERE id = %s", (at(minutes), made.number)
        )
        file_id = store_content(connection, [b"log"]).file_id
        connection.execute(
            "INSERT INTO station_file VALUES (%s, %s, %s, 'diag')", (file_id, station, made.number)
        )
    return made.number


def files(dsn: str, station: str) -> list[StationFile]:
    with ask(dsn) as connection:
        return read_files(connection, station)


def rows(dsn: str) -> Sequence[Any]:
    with ask(dsn) as connection:
        return connection.execute(
            "SELECT station_id, kind, request_id, status, received_at FROM transfer_status"
            " ORDER BY station_id, position, line"
        ).fetchall()


def test_a_message_that_names_no_request_is_of_the_last_one_before_it(fleet: str) -> None:
    numbers = [request(fleet, ONE, minutes) for minutes in (10, 20)]
    go_on(
        fleet,
        [
            told(ONE, 9, "Diagnostics", status="UploadFailed"),
            told(ONE, 11, "Diagnostics", status="Uploading"),
            told(ONE, 12, "Diagnostics", status="Uploaded"),
            told(ONE, 13, "Firmware", status="Downloading"),
            told(ONE, 14, "Diagnostics", status="Idle"),
            told(ONE, 21, "Diagnostics", status="Uploading"),
        ],
    )

    assert [(e.request_id, e.status) for e in files(fleet, ONE)] == [
        (numbers[1], "Uploading"),
        (numbers[0], "Uploaded"),
    ]


def test_one_that_names_it_is_of_that_one(fleet: str) -> None:
    numbers = [request(fleet, TWO, minutes) for minutes in (10, 20)]
    go_on(
        fleet,
        [
            told(TWO, 21, "Log", status="Uploading", requestId=numbers[0]),
            told(TWO, 22, "Log", status="UploadFailure", requestId=numbers[1]),
            told(TWO, 23, "Log", status="Uploaded", requestId=numbers[0]),
            told(ONE, 24, "Log", status="PermissionDenied", requestId=numbers[0]),
            told(TWO, 25, "Firmware", status="Installed", requestId=numbers[1]),
            told(TWO, 26, "Log", status="Uploading", requestId=2**40),
        ],
    )

    assert [(e.request_id, e.status) for e in files(fleet, TWO)] == [
        (numbers[1], "Uploading"),  # what names no number of ours is of the last request
        (numbers[0], "Uploaded"),
    ]
    assert [row[1:4] for row in rows(fleet)[-3:-1]] == [
        ("firmware", numbers[1], "Installed"),
        ("logs", None, "Uploading"),
    ]


def test_the_last_fifty_are_kept_and_no_session_changes(fleet: str) -> None:
    many = [told(ONE, 2 + n / 60, "Firmware", status=f"S{n}") for n in range(TRANSFERS_KEPT + 1)]
    go_on(fleet, [start16(ONE, 1, 1, "FLEET1", 0), *many, told(ONE, 4, "SignedFirmware")])

    found = rows(fleet)
    assert [row[3] for row in found] == [f"S{n}" for n in range(1, TRANSFERS_KEPT + 1)]
    assert found[0][4] == at(2) + timedelta(seconds=2)
    with ask(fleet) as connection:
        session = list_sessions(connection, station_id=ONE, limit=1)[0]
    assert (session.state, session.flags) == ("open", [])

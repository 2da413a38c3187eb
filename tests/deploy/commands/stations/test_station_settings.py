"""`wattledger station set` and `station password`: what the interface does, and no secret shown."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ingest.directory import StationAccess
from ingest.station_records import PostgresStationRecords
from ledger.database import connect, connect_async
from ledger.declared.passwords import password_matches
from tests.deploy.interface.served_interface import connected
from tests.deploy.interface.site_of_stations import HERE, site_of_stations

SECRET = "sixteen-and-more"


@pytest.fixture(autouse=True)
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    site_of_stations(database)
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\nand no more\n"))
    return database


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON
    assert run([*arguments, "--json"]) == 0, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def test_what_is_set_holds_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    both = {"get_variables": 5, "set_variables": 5}
    none = {"get_variables": None, "set_variables": None}
    plain = read(capsys, "station", "show", HERE)["settings"]
    first = read(
        capsys, "station", "set", HERE.lower(), "--boot", "Pending", "--boot-interval-s", "60",
        "--items-per-message", "5",
    )  # fmt: skip
    second = read(capsys, "station", "set", HERE, "--bytes-per-message", "2000")
    shown = read(capsys, "station", "show", HERE)["settings"]
    back = read(
        capsys, "station", "set", HERE, "--items-per-message", "0", "--boot-interval-s", "0"
    )
    assert run(["station", "set", HERE, "--boot", "Accepted"]) == 0
    assert run(["station", "show", HERE]) == 0
    told = capsys.readouterr().out

    expected = {
        "boot": "Pending", "boot_interval_s": 60, "registered": "Accepted",
        "items_per_message": both, "bytes_per_message": none,
    }  # fmt: skip
    assert plain == {
        **expected, "boot": "Accepted", "boot_interval_s": None, "items_per_message": none
    }  # fmt: skip
    assert first == {"id": HERE, **expected}
    size = {"get_variables": 2000, "set_variables": 2000}
    assert second == {"id": HERE, **shown} == {**first, "bytes_per_message": size}
    assert back == {**second, "items_per_message": none, "boot_interval_s": None}
    assert told.count("Accepted; registered as Accepted") == 2
    assert told.count("items -, bytes 2000") == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--items-per-message", "-1"), "items_per_message"),
        (("--boot-interval-s", "86401"), "boot_interval_s"),
    ],
)
def test_what_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str
) -> None:
    assert run(["station", "set", HERE, *arguments]) == WRONG
    assert problem in capsys.readouterr().err


def test_a_station_that_nobody_declared_is_not_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["station", "set", "CS-9", "--boot", "Pending"]) == WRONG
    assert "no station CS-9 is declared" in capsys.readouterr().err


def test_a_password_that_is_set_comes_from_standard_input_alone(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["station", "set", HERE, "--password-stdin"]) == 0
    assert SECRET not in "".join(capsys.readouterr())
    assert [password_matches(SECRET, each) for each in hashes(place)] == [True]


def test_a_password_that_is_too_short_is_refused_and_not_quoted(
    place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("7-signs\n"))
    assert run(["station", "set", HERE, "--password-stdin"]) == WRONG
    said = capsys.readouterr().err
    assert "password" in said
    assert "7-signs" not in said
    assert hashes(place) == []


async def test_a_station_is_told_a_password_from_standard_input_or_a_random_one(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as exits:
        station = await connected(exits, place)
        given = await asyncio.to_thread(run, ["station", "password", HERE, "--password-stdin"])
        made = await asyncio.to_thread(run, ["station", "password", HERE])
        seen = capsys.readouterr().out

    assert (given, made) == (0, 0)
    (_, first), (_, second) = station.asked
    assert first == {"key": "AuthorizationKey", "value": SECRET.encode().hex()}
    assert len(second["value"]) == 32
    assert not any(each in seen for each in (SECRET, first["value"], second["value"]))
    assert seen.count('{"status": "Accepted"}') == 2
    async with AsyncExitStack() as exits:
        records = PostgresStationRecords(lambda: connect_async(place))
        exits.push_async_callback(records.close)
        declared = StationAccess(station_id=HERE, password_hashes=(declared_hash(place),))
        known = (await records.known(declared)).access.password_hashes
    assert [password_matches(SECRET, each) for each in known] == [False, True, False]


def test_a_password_for_a_station_is_not_taken_from_the_command_line(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["station", "password", HERE, "--of", SECRET]) == WRONG
    assert SECRET not in capsys.readouterr().err
    assert hashes(place) == []


def test_who_is_not_connected_is_told_nothing(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["station", "password", HERE, "--password-stdin"]) == WRONG
    assert "not connected" in capsys.readouterr().err
    assert hashes(place) == []


@pytest.mark.parametrize("typed", [b"", b"\n", b"seven 7\n", "längstens\n".encode("latin-1")])
def test_no_hash_is_made_of_next_to_nothing_or_of_another_alphabet(
    typed: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed), "utf-8"))
    assert run(["station", "password", "--password-stdin"]) == WRONG
    assert run(["station", "password", "--of", "short"]) == WRONG

    shown = capsys.readouterr()
    assert shown.out == ""
    why = "is not UTF-8" if b"\xe4" in typed else "at least 8 characters"
    assert why in shown.err.splitlines()[0]


def test_a_hash_is_made_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    made = read(capsys, "station", "password")
    given = read(capsys, "station", "password", "--of", "chosen by a person")
    piped = read(capsys, "station", "password", "--password-stdin")

    assert given["password"] == "chosen by a person"
    assert piped["password"] == SECRET
    assert all(password_matches(each["password"], each["password_hash"]) for each in (made, given))


def hashes(dsn: str) -> list[str]:
    with connect(dsn) as connection:
        return [hashed for (hashed,) in connection.execute("SELECT hash FROM station_password")]


def declared_hash(dsn: str) -> str:
    with connect(dsn) as connection:
        row = connection.execute("SELECT declared_hash FROM station_password LIMIT 1").fetchone()
    assert row is not None
    return str(row[0])

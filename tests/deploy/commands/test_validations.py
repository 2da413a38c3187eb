"""A voucher reaches its session through the log, as long as that is not rated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ingest.facts.translate import translate
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.authorization import Authorization
from ledger.log.envelope import Validation
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.worker.worker import Worker
from tariffs.files.tariff_file import read_tariff_file
from tests.at_the_edge import keep_named_subjects
from tests.charging_day import (
    MORNING,
    PARTITIONS,
    Timed,
    at,
    declare_day,
    declare_fleet,
    everywhere,
    start16,
    stop16,
    write_log,
)
from tests.projections.books_of_a_day import ask, replayed, unpacked, work

STATION = "CS-OLD-1"
SESSION = f"{STATION}/1/20260302T070100Z"
TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
adjustments:
  - {validation: SHOP, discount: 50 %, on: [energy]}
  - {coupon: FIRST, free: [energy], uses_max: 1}
"""


@pytest.fixture
def books(database: str) -> str:
    """Books in which a session of 10 kWh is under way, with a tariff that knows two codes."""
    declare_fleet(database)
    version = declare_day(database, TARIFF)
    write_log(database, [*everywhere(version, 0), start16(STATION, 1, 1, "FLEET1", 0)])
    work(database)
    return database


@pytest.fixture
def place(books: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", books)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    return books


def nets(dsn: str) -> dict[str, int]:
    query = "SELECT split_part(session_id, '/', 2), sum(net_minor)::int FROM rated_line GROUP BY 1"
    with ask(dsn) as connection:
        return dict(connection.execute(query).fetchall())  # type: ignore[arg-type] # rows of two


def aside(dsn: str) -> list[Any]:
    with ask(dsn) as connection:
        return connection.execute("SELECT reason, lines FROM set_aside").fetchall()


def shown(code: str, minutes: float, *, session: str | None = None, token: str = "") -> Timed:
    line = Validation(
        received_at=at(minutes),
        station=STATION,
        session_id=session,
        token=token or None,
        code=code,
        by="till",
    )
    return line.received_at, STATION, line


def test_a_code_that_is_shown_before_the_stop_lowers_the_price(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sessions", "validate", SESSION, "--code", "SHOP", "--by", "till", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    write_log(place, [stop16(STATION, 61, 1, 10_000)])
    work(place)

    assert (done["state"], done["codes"]) == ("open", ["SHOP"])
    assert nets(place) == {"1": 200}
    with ask(place) as connection:
        [(who,)] = connection.execute("SELECT validated_by FROM validation").fetchall()
        [(body,)] = connection.execute("SELECT body FROM session_decision").fetchall()
    assert who == "till"
    assert b'"validations":["SHOP"]' in unpacked(body)
    assert replayed(place).is_identical


def test_a_rated_session_is_not_validated_any_more(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(place, [stop16(STATION, 61, 1, 10_000)])
    work(place)

    assert run(["sessions", "validate", SESSION, "--code", "SHOP"]) == WRONG

    assert "is rated: a code has to be shown before" in capsys.readouterr().err
    assert nets(place) == {"1": 400}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([SESSION, "--code", "SHOPP"], "knows no code 'SHOPP'", id="a misspelt code"),
        pytest.param(["X/1", "--code", "SHOP"], "there is no session X/1", id="no such session"),
        pytest.param(["--code", "SHOP"], "name the session", id="no session at all"),
        pytest.param(
            ["--code", "SHOP", "--token", "HOME1", "--station", STATION],
            "no session of token HOME1 is under way",
            id="nobody of that token",
        ),
    ],
)
@pytest.mark.usefixtures("place")
def test_what_cannot_be_validated_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sessions", "validate", *arguments]) == WRONG

    assert sentence in capsys.readouterr().err


def test_a_session_is_found_by_its_token_and_station(place: str) -> None:
    arguments = ["--token", "fleet1", "--station", STATION, "--code", "SHOP"]
    assert run(["sessions", "validate", *arguments]) == 0
    write_log(place, [stop16(STATION, 61, 1, 10_000)])
    work(place)

    assert nets(place) == {"1": 200}


def test_a_coupon_for_one_session_is_used_up(books: str) -> None:
    write_log(books, [start16(STATION, 2, 2, "FLEET1", 0, 2)])
    second = f"{STATION}/2/20260302T070200Z"
    write_log(books, [shown("FIRST", 5, session=SESSION), shown("FIRST", 6, session=second)])
    write_log(books, [stop16(STATION, 61, 1, 10_000), stop16(STATION, 71, 2, 10_000)])
    work(books)

    assert nets(books) == {"1": 0, "2": 400}
    assert replayed(books).is_identical


@pytest.mark.parametrize("records", [1, 1000])
def test_a_line_that_comes_too_late_or_finds_no_session_is_set_aside(
    books: str, *, records: int
) -> None:
    stop = stop16(STATION, 61, 1, 10_000)
    late = [stop, shown("SHOP", 65, session=SESSION), shown("SHOP", 66, token="fleet1")]
    write_log(books, late, lines_a_record=1)
    partitions = range(PARTITIONS)
    with (
        PostgresEventLog(books) as log,
        Worker(
            books, log=log, partitions=partitions, translate=translate, group_records=records
        ) as worker,
    ):
        while worker.run_once():
            pass

    assert nets(books) == {"1": 400}
    assert aside(books) == [("validation_without_session", 2)]


def test_a_code_that_comes_with_the_stop_counts(books: str) -> None:
    write_log(books, [stop16(STATION, 61, 1, 10_000), shown("SHOP", 61, token="fleet1")])
    work(books)

    assert nets(books) == {"1": 200}
    assert replayed(books).is_identical


def test_a_guest_of_a_partner_shows_the_code_of_the_partner_s_tariff(place: str) -> None:
    guest = "GUEST1"
    tariff, problems = read_tariff_file(
        TARIFF.replace("DAY", "THEIRS").replace("SHOP", "HOTEL"), "theirs.yaml"
    )
    assert tariff is not None, problems
    assignment = Assignment(tariff="THEIRS", partner="NL-TNM")
    with ask(place) as connection:
        keep_named_subjects(connection, guest)
        told = PartnerToken(guest, "NL-TNM-C1", True, Whitelist.ALWAYS)
        add_partner_tokens(connection, "NL-TNM", [told], at=MORNING)
        changes = [
            Change(kind=kind, key=key, entity=entity, valid_from=MORNING)
            for kind, key, entity in (
                (Kind.TARIFF, "THEIRS", published(tariff)),
                (Kind.ASSIGNMENT, assignment.key(), assignment),
            )
        ]
        version = declare(connection, changes, by="test", at=MORNING)
    found = Authorization(subject=guest.casefold(), by="partner", status="accepted", party="NL-TNM")
    moment, station, line = start16(STATION, 2, 2, guest, 0, 2)
    begun = (moment, station, replace(line, authorization=found))
    write_log(place, [*everywhere(version, 1), begun])
    work(place)
    session = f"{STATION}/2/20260302T070200Z"

    assert run(["sessions", "validate", session, "--code", "NONE", "--by", "desk"]) == WRONG
    assert run(["sessions", "validate", session, "--code", "HOTEL", "--by", "desk"]) == 0
    write_log(place, [stop16(STATION, 61, 2, 10_000)])
    work(place)

    assert nets(place) == {"2": 200}

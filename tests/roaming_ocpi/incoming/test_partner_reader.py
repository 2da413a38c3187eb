"""From the log into the books: each message once, whatever is restarted, doubled or broken."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.log.envelope import PartnerMessage, encode_line
from ledger.log.postgres import PostgresEventLog
from roaming_ocpi.incoming import reading
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.told import ACCEPT, DISPUTE, SESSION_PARTS, SESSIONS
from roaming_ocpi.tokens.own_tokens import Issuer, contract_of
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    CARD,
    PARTITIONS,
    PARTY,
    SESSION,
    Found,
    Told,
    append,
    append_lines,
    cdr_of,
    changed,
    credit_of,
    declare_roaming,
    old_cdr_of,
    payloads,
    read_all,
    rows_of,
    subject_of,
    verdicts,
)

EIGHT = Decimal(8)


@pytest.fixture
def books(database: str) -> str:
    declare_roaming(database)
    return database


def test_a_sound_cdr_is_accepted_with_all_that_settlement_needs(books: str) -> None:
    append(books, Told(SESSION, SESSIONS), Told(cdr_of()))

    read_all(books)

    [row] = rows_of(books, "partner_cdr")
    assert row["codes"] == []
    assert (row["verdict"], row["kind"], row["currency"]) == ("accepted", "cdr", "EUR")
    assert (row["net"], row["tax"], row["energy_kwh"], row["repriced_net"]) == (8.0, 1.6, 32.0, 8.0)
    assert (row["tariff_id"], row["session_ref"], row["version"]) == ("T1", "S1", "2.2.1")
    assert row["subject"] == subject_of(books)
    assert row["contract"]
    assert CARD not in json.dumps(row)
    assert "DE-HBC-C000001" not in json.dumps(row)


def test_an_old_cdr_names_the_contract_that_we_told_and_is_our_driver_s(books: str) -> None:
    """OCPI 2.1.1 has no uid in a CDR; who was erased meanwhile is judged as before."""
    subject = subject_of(books)
    contract = contract_of(subject, Issuer("DE-HBC", "Harbour Charging GmbH"))
    append(books, Told(old_cdr_of(auth_id=contract)))
    append(books, Told(old_cdr_of(id="C2", auth_id="DE-HBC-C00", **_OLD_LATER)))

    read_all(books)

    assert verdicts(books)["C1"].codes == ()
    assert verdicts(books)["C2"].codes == ("cdr_token_unknown",)
    assert rows_of(books, "partner_cdr")[0]["subject"] == subject


_OLD_LATER = {
    "start_date_time": "2026-03-02T10:00:00Z",
    "stop_date_time": "2026-03-02T12:00:00Z",
    "charging_periods__0__start_date_time": "2026-03-02T10:00:00Z",
    "charging_periods__1__start_date_time": "2026-03-02T11:00:00Z",
}


def test_the_same_again_is_nothing_and_another_under_its_id_is_kept_and_flagged(books: str) -> None:
    append(books, Told(cdr_of()), Told(json.dumps(cdr_of(), indent=3)))
    read_all(books)
    assert verdicts(books)["C1"].codes == ()

    append(books, Told(cdr_of(id="c1", total_energy=31)), Told(cdr_of(remark="by phone")))
    read_all(books)

    found = verdicts(books)
    assert list(found) == ["C1"]
    assert found["C1"] == Found("flagged", ("cdr_told_otherwise",), EIGHT, None, None)
    assert len(rows_of(books, "partner_cdr_again")) == 2


def test_a_credit_takes_back_what_came_before_it_and_its_replacement_bills_the_session(
    books: str,
) -> None:
    replacement = cdr_of(id="C2", total_cost={"excl_vat": 8.0, "incl_vat": 9.6})
    append(books, Told(cdr_of()), Told(credit_of()), Told(replacement), each_alone=False)

    read_all(books)

    assert verdicts(books) == {
        "C1": Found("accepted", (), EIGHT, None, "C1-C"),
        "C1-C": Found("accepted", (), -EIGHT, "C1", None),
        "C2": Found("accepted", (), EIGHT, None, None),
    }


def test_a_second_cdr_of_the_session_is_a_duplicate_in_one_record_or_in_two(books: str) -> None:
    append(books, Told(cdr_of()), Told(cdr_of(id="C2")), each_alone=False)
    append(books, Told(cdr_of(id="C3", session_id="s1")))

    read_all(books)

    assert verdicts(books)["C2"].codes == ("cdr_duplicate",)
    assert verdicts(books)["C3"].codes == ("cdr_duplicate",)


def test_parts_of_a_session_change_what_they_name_and_what_was_overtaken_nothing(
    books: str,
) -> None:
    first = changed(SESSION, kwh=5, status="ACTIVE", last_updated="2026-03-02T12:30:00Z")
    late = {"id": "S1", "kwh": 7.5, "last_updated": "2026-03-02T12:45:00Z"}
    overtaken = {"id": "S1", "kwh": 6, "last_updated": "2026-03-02T12:40:00Z"}
    none = {"id": "s1", "end_date_time": None, "last_updated": "2026-03-02T12:50:00Z"}
    parts = [Told(each, SESSION_PARTS) for each in (late, overtaken, none)]
    append(books, Told(first, SESSIONS), *parts)

    read_all(books)

    [row] = rows_of(books, "partner_session")
    assert (row["energy_kwh"], row["status"], row["ended_at"]) == (7.5, "ACTIVE", None)
    assert row["started_at"] == "2026-03-02T12:00:00+00:00"


HOSTILE = [
    "",
    "[]",
    "no JSON",
    '{"id": ' + "[" * 900 + "]" * 900 + "}",
    json.dumps(cdr_of(id="")),
    json.dumps(cdr_of(id="x" * 300)),
    json.dumps(cdr_of(id="a\0b")),
    json.dumps(cdr_of(id=None)),
    '{"id": "L", "end_date_time": "\\ud800"}',
]
ODD: dict[str, Any] = {
    "NAN": {"total_energy": float("nan")},
    "HUGE": {"total_cost": {"excl_vat": 10**60}},
    "FIRST": {"start_date_time": "0001-01-01T00:00:00Z"},
    "LAST": {"end_date_time": "9999-12-31T23:59:59Z"},
    "PERIODS": {"charging_periods": [[]]},
    "TEXT": {"total_cost": "8.00"},
    "SPOT": {"charging_periods": "\0"},
    "ZONE": {"cdr_location__time_zone": "Mars/\0"},
    "MONEY": {"currency": "€€€"},
    "TOKEN": {"cdr_token": 7},
    "NULS": {"charging_periods__0__tariff_id": "\0", "session_id": "\0"},
    "CREDIT": {"credit": True, "credit_reference_id": "\0"},
    "SIGNED": {"signed_data": {"x": 10**400, "y": [[[[[["z"]]]]]]}},
    "NUL$": {"currency": "\0\0\0"},
    "TARIFFS": {"tariffs": {"id": {}}},
}


def test_nothing_that_a_partner_says_stops_the_reader_or_is_lost(books: str) -> None:
    append(books, *(Told(each) for each in HOSTILE), each_alone=False)
    append(books, *(Told(cdr_of(id=name, **odd)) for name, odd in ODD.items()))
    append(books, Told("{}", SESSIONS), Told({"id": "S", "kwh": "x"}, SESSIONS))
    append_lines(books, [b'{"kind":"partner","what":7}', b"\xff"])
    append(books, Told(cdr_of(session_id="S9", id="SOUND", **_LATER), at=CAME + timedelta(days=1)))

    read_all(books)

    found = verdicts(books)
    assert found.keys() == {*ODD, "SOUND"}
    accepted = {name for name, each in found.items() if each.verdict == "accepted"}
    assert accepted == {"SOUND", "TEXT"}  # a number as text can be read, and is the right one
    assert len(rows_of(books, "partner_line_aside")) == len(HOSTILE) + 2


_LATER = {
    "start_date_time": "2026-03-03T12:00:00Z",
    "end_date_time": "2026-03-03T14:00:00Z",
    "charging_periods__0__start_date_time": "2026-03-03T12:00:00Z",
    "charging_periods__1__start_date_time": "2026-03-03T13:00:00Z",
}


def story() -> list[Told]:
    """Return messages that hang on one another."""
    return [
        Told(SESSION, SESSIONS),
        Told(cdr_of()),
        Told(cdr_of(id="C2")),
        Told(credit_of(id="C2-C", credit_reference_id="C2")),
        Told(credit_of()),
        Told(cdr_of(id="C3")),
        Told(cdr_of(id="C4", session_id="S4")),
        Told(cdr_of(id="C3", remark="changed")),
        Told({"id": "C4", "by": "anna", "reason": "agreed"}, ACCEPT, direction="out"),
        Told(cdr_of(id="C5")),
        Told({"id": "C1-C", "by": "anna", "reason": "not agreed"}, DISPUTE, direction="out"),
        Told(cdr_of(id="C6")),
    ]


def tables(dsn: str) -> list[list[Any]]:
    """Return what the messages came to, but for where they stand."""
    found = []
    for table in ("partner_cdr", "partner_cdr_again", "partner_session"):
        rows = rows_of(dsn, table)
        for row in rows:
            del row["position"], row["line"]
        found.append(sorted(rows, key=json.dumps))
    return found


@pytest.mark.parametrize("each_alone", [True, False])
@pytest.mark.parametrize("records", [1, 3, 500])
def test_grouping_and_restarts_change_no_verdict(
    books: str,
    monkeypatch: pytest.MonkeyPatch,
    records: int,
    each_alone: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    append(books, *story(), each_alone=each_alone)
    monkeypatch.setattr(reading, "GROUP_RECORDS", records)

    for _ in range(40):  # a reader of its own for each group
        with PostgresEventLog(books) as log:
            reader = PartnerReader(books, log=log, partitions=range(PARTITIONS))
            with closing(reader):
                reader.run_once()

    found = verdicts(books)
    assert {name: each.verdict for name, each in found.items()} == {
        "C1": "accepted",
        "C2": "disputed",
        "C2-C": "accepted",
        "C1-C": "disputed",
        "C3": "disputed",  # it stood for C1, which a person lets stand
        "C4": "accepted",
        "C5": "disputed",
        "C6": "disputed",
    }
    assert found["C1"].credited_by is None
    assert set(found["C3"].codes) == {"cdr_duplicate", "cdr_told_otherwise"}
    assert found["C4"].codes == ("cdr_duplicate",)


def test_two_readers_at_once_take_each_message_once(books: str) -> None:
    days = [Told(cdr_of(id=f"D{n}", session_id=f"D{n}"), at=CAME) for n in range(60)]
    append(books, *days)

    def follow() -> None:
        with PostgresEventLog(books) as log:
            reader = PartnerReader(books, log=log, partitions=range(PARTITIONS))
            with closing(reader):
                reader.run_to_end()

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(verdicts(books)) == 60
    assert rows_of(books, "partner_cdr_again") == []


def test_a_kill_before_the_commit_leaves_nothing_behind(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(books, *story())
    with PostgresEventLog(books) as log:
        reader = PartnerReader(books, log=log, partitions=range(PARTITIONS))
        monkeypatch.setattr(reading, "_STORE", "SELECT 1 / 0 WHERE %s IS NOT NULL" + _MORE)
        with closing(reader), pytest.raises(psycopg.Error):
            reader.run_once()
        monkeypatch.undo()

    assert verdicts(books) == {}
    read_all(books)
    assert verdicts(books)["C6"].verdict == "disputed"


_MORE = " AND %s IS NOT NULL" * 4


def test_a_line_that_the_tables_refuse_is_left_out_alone(books: str) -> None:
    with connect(books) as connection:
        connection.execute("ALTER TABLE partner_cdr ADD CONSTRAINT no_bad CHECK (cdr_id <> 'BAD')")
    append(books, Told(cdr_of()), Told(cdr_of(id="BAD", session_id="S2")), each_alone=False)
    append(books, Told(cdr_of(id="C3", session_id="S3")))

    read_all(books)

    assert verdicts(books).keys() == {"C1", "C3"}
    [aside] = rows_of(books, "partner_line_aside")
    assert "no_bad" in aside["why"]


def test_partners_hear_nothing_of_each_other(books: str) -> None:
    """The same ids of two parties are two CDRs, and no duplicate."""
    append(books, Told(cdr_of()), Told(cdr_of(), party="FR-ABC"))

    read_all(books)

    with connect(books) as connection:
        rows = connection.execute("SELECT party, verdict FROM partner_cdr ORDER BY 1").fetchall()
    assert rows == [("FR-ABC", "accepted"), (PARTY, "accepted")]


@pytest.mark.parametrize("order", list(permutations(range(3)))[:4])
def test_cdrs_that_came_at_once_are_judged_in_the_order_of_the_log(
    books: str, order: tuple[int, ...]
) -> None:
    told = [Told(cdr_of(id=f"O{n}", session_id=f"O{n}", **_OVERLAPPING)) for n in range(3)]
    told = [Told(changed(each.body, total_energy=32.0005 + n)) for n, each in enumerate(told)]
    append(books, *(told[n] for n in order), each_alone=False)

    read_all(books)

    found = verdicts(books)
    names = [f"O{n}" for n in order]
    assert ["cdr_overlaps" in found[name].codes for name in names] == [False, True, True]


_OVERLAPPING: dict[str, Any] = {}


def test_what_the_log_keeps_names_nobody(books: str) -> None:
    append(books, Told(cdr_of(remark=f"card {CARD}")))
    written = b"".join(payloads(books))

    assert b'"partner"' in written
    assert CARD.encode() not in written


def test_a_message_that_we_sent_is_no_cdr_of_theirs(books: str) -> None:
    line = PartnerMessage(
        received_at=CAME + timedelta(hours=1),
        party=PARTY,
        what="cdrs",
        body=json.dumps(cdr_of(cdr_token={})),
        direction="out",
    )
    append_lines(books, [encode_line(line)])

    read_all(books)

    assert verdicts(books) == {}

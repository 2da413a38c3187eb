"""A partner is told of its own drivers' sessions: at once, then now and then, at what they cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger.database import connect
from roaming_ocpi.relay.messages import Prepared
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing
from roaming_ocpi.sessions.live import LiveSessions
from roaming_ocpi.sessions.messages import SessionMessages
from roaming_ocpi.sessions.told import decode_told
from roaming_ocpi.wire.ids import wire_session_id
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion
from tests.charging_day import (
    at,
    choose,
    everywhere,
    meter16,
    start16,
    status16,
    stop16,
)
from tests.projections.books_of_a_day import go_on
from tests.roaming_ocpi.relay.taking_partner import link_of
from tests.roaming_ocpi.sessions.partners_drivers import (
    BLUE,
    OTHERS_TOKEN,
    PARTNERS_TOKEN,
    TNM,
    SetClock,
    declare_partners,
    rows,
)

ONE = "CS-OLD-1"
SESSION = "CS-OLD-1/7/20260302T070000Z"


def live_at(dsn: str, clock: SetClock) -> LiveSessions:
    return LiveSessions(dsn, holder="test", now=clock)


def wire(dsn: str, version: OcpiVersion, party: str = TNM) -> dict[str, Any]:
    message = Outgoing(1, party, MessageKind.SESSION, SESSION, SESSION, 1, 1, 0, 0, is_again=False)
    link = link_of(party, "http://127.0.0.1:1")._replace(version=version)
    with connect(dsn) as connection:
        made = SessionMessages().make(connection, [message], link)[1]
    assert isinstance(made, Prepared)
    assert made.path == f"/DE/HBC/{wire_session_id(SESSION)}"
    value: dict[str, Any] = decode_json(made.body)
    return value


def test_a_partner_is_told_at_the_start_and_on_change_now_and_then(database: str) -> None:
    version = declare_partners(database)
    clock = SetClock(at(1))
    live = live_at(database, clock)

    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 1_000)])
    told = [live.look_once()]
    go_on(database, [meter16(ONE, 2, 7, 1_200)])
    clock.at = at(2)
    told.append(live.look_once())
    clock.at = at(7)
    told.append(live.look_once())
    told.append(live.look_once())
    clock.at = at(30)
    told.append(live.look_once())

    assert told == [1, 0, 1, 0, 0], "at once, then at most every five minutes, and on change alone"
    assert rows(database, "SELECT party, kind, subject, lane, version FROM outgoing") == [
        (TNM, "session", SESSION, SESSION, 2)
    ]


def test_it_costs_what_the_kernel_says_so_far(database: str) -> None:
    version = declare_partners(database)
    begun = [start16(ONE, 0, 7, PARTNERS_TOKEN, 1_000), meter16(ONE, 30, 7, 4_000)]
    parked = [status16(ONE, 40, "SuspendedEV"), meter16(ONE, 60, 7, 4_500)]
    go_on(database, [*everywhere(version, -1), *begun, *parked])
    live_at(database, SetClock(at(61))).look_once()

    newest, middle, oldest = (
        wire(database, each)
        for each in (OcpiVersion.V2_3_0, OcpiVersion.V2_2_1, OcpiVersion.V2_1_1)
    )

    # 3.5 kWh and 20 minutes of parking: 1.40 + 2.00, 19 % on both.
    assert newest["kwh"] == Decimal("3.5")
    assert newest["total_cost"]["before_taxes"] == Decimal("3.4")
    assert sum(tax["amount"] for tax in newest["total_cost"]["taxes"]) == Decimal("0.65")
    assert middle["total_cost"] == {"excl_vat": Decimal("3.4"), "incl_vat": Decimal("4.05")}
    assert oldest["total_cost"] == Decimal("3.4")
    assert newest["status"] == middle["status"] == oldest["status"] == "ACTIVE"
    assert newest["cdr_token"] == {
        "country_code": "NL", "party_id": "TNM", "uid": PARTNERS_TOKEN, "type": "RFID",
        "contract_id": PARTNERS_TOKEN,
    }  # fmt: skip
    assert oldest["auth_id"] == PARTNERS_TOKEN
    [evse] = oldest["location"]["evses"]
    place = (oldest["location"]["id"], evse["uid"], evse["connectors"][0]["id"])
    assert place == tuple(newest[name] for name in ("location_id", "evse_uid", "connector_id"))
    assert "cdr_location" not in newest
    energies = [
        dimension["volume"]
        for period in newest["charging_periods"]
        for dimension in period["dimensions"]
        if dimension["type"] == "ENERGY"
    ]
    assert sum(energies) == newest["kwh"]
    assert "end_date_time" not in newest


def test_what_comes_on_top_for_a_partner_is_in_the_price_so_far(database: str) -> None:
    version = declare_partners(database, mark_up=Decimal("12.5"))
    begun = [start16(ONE, 0, 7, PARTNERS_TOKEN, 0), meter16(ONE, 30, 7, 10_000)]
    go_on(database, [*everywhere(version, -1), *begun])
    live_at(database, SetClock(at(31))).look_once()

    total = wire(database, OcpiVersion.V2_2_1)["total_cost"]

    assert total == {"excl_vat": Decimal("4.5"), "incl_vat": Decimal("5.36")}


def test_a_session_goes_to_the_owner_of_its_token_alone(database: str) -> None:
    version = declare_partners(database)
    begun = [
        start16(ONE, 0, 7, PARTNERS_TOKEN, 0),
        start16(ONE, 1, 8, OTHERS_TOKEN, 0, 2),
        start16("CS-OLD-2", 2, 9, "FLEET1", 0),
    ]
    go_on(database, [*everywhere(version, -1), *begun])
    live_at(database, SetClock(at(3))).look_once()

    told = rows(database, "SELECT party, body FROM roaming_session ORDER BY party")

    assert [(party, decode_told(body).token) for party, body in told] == [
        (BLUE, OTHERS_TOKEN.lower()), (TNM, PARTNERS_TOKEN.lower()),
    ]  # fmt: skip
    assert rows(database, "SELECT party FROM outgoing ORDER BY party") == [(BLUE,), (TNM,)]


def test_one_that_a_person_writes_off_is_invalid(database: str) -> None:
    version = declare_partners(database)
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 9_000)])
    clock = SetClock(at(1))
    live_at(database, clock).look_once()
    # The register runs backwards: it is held, until a person says what becomes of it.
    go_on(database, [stop16(ONE, 30, 7, 3_000), *everywhere(version, 200)])
    assert rows(database, "SELECT state FROM session") == [("held",)]
    go_on(database, [choose(SESSION, "write_off", 210)])

    clock.at = at(211)
    live_at(database, clock).look_once()

    said = wire(database, OcpiVersion.V2_2_1)
    assert said["status"] == "INVALID"
    assert "total_cost" not in said


def test_a_partner_that_wants_no_updates_may_still_ask(database: str) -> None:
    version = declare_partners(database, live=False)
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 0)])

    live_at(database, SetClock(at(1))).look_once()

    assert rows(database, "SELECT count(*) FROM roaming_session") == [(1,)]
    assert rows(database, "SELECT count(*) FROM outgoing") == [(0,)]


def test_a_process_that_starts_again_tells_nothing_twice(database: str) -> None:
    version = declare_partners(database)
    clock = SetClock(at(1))
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 0)])

    told = [live_at(database, clock).look_once() for _ in range(2)]

    assert told == [1, 0]


def test_who_was_erased_is_named_by_what_is_left(database: str) -> None:
    version = declare_partners(database)
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 0)])
    live_at(database, SetClock(at(1))).look_once()

    with connect(database) as connection:
        connection.execute("UPDATE subject SET spelt = 'other' WHERE name = 'tnm1'")
        assert wire(database, OcpiVersion.V2_2_1)["cdr_token"]["uid"] == "other"
        connection.execute("DELETE FROM subject WHERE name = 'tnm1'")

    assert wire(database, OcpiVersion.V2_2_1)["cdr_token"]["uid"] == "tnm1"


def test_no_table_of_ours_holds_a_token(database: str) -> None:
    version = declare_partners(database)
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 0)])
    with connect(database) as connection:
        connection.execute("UPDATE subject SET spelt = '04AABBCC' WHERE name = 'tnm1'")
    live_at(database, SetClock(at(1))).look_once()

    kept = rows(
        database,
        "SELECT convert_from(kept.body, 'UTF8'), kept::text, one::text"
        " FROM roaming_session AS kept, outgoing AS one",
    )

    assert wire(database, OcpiVersion.V2_2_1)["cdr_token"]["uid"] == "04AABBCC"
    assert "04AABBCC" not in str(kept)

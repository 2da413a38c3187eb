"""A credit that comes before its CDR is judged by evidence in the end, whichever came first."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from deploy.postgres.migrate import MIGRATIONS, apply
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.partners import OldCorrections
from roaming_ocpi.incoming.rechecking import judge_all_again
from roaming_ocpi.incoming.told import ACCEPT, DISPUTE
from roaming_ocpi.tokens.own_tokens import Issuer, contract_of
from tests.roaming_ocpi.incoming.partner_stories import (
    CDR,
    Told,
    append,
    cdr_of,
    credit_of,
    declare_roaming,
    old_cdr_of,
    read_all,
    rows_of,
    subject_of,
    verdicts,
)

SAID_OF_CREDIT = {"id": "C1-C", "by": "anna", "reason": "by phone"}
_LATER = {
    "start_date_time": "2026-03-03T12:00:00Z",
    "end_date_time": "2026-03-03T14:00:00Z",
    "charging_periods__0__start_date_time": "2026-03-03T12:00:00Z",
    "charging_periods__1__start_date_time": "2026-03-03T13:00:00Z",
}


@pytest.fixture
def books(database: str) -> str:
    declare_roaming(database)
    return database


@pytest.mark.parametrize("each_alone", [True, False])
@pytest.mark.parametrize(
    ("original", "credit"),
    [
        ({}, {}),
        ({"total_cost": {"excl_vat": 7.5, "incl_vat": 9.0}}, {}),
        ({}, {"currency": "CHF"}),
        ({}, {"cdr_token__uid": "NOBODYS"}),
        ({"charging_periods": [7]}, {}),
        ({"id": "c1"}, {}),
    ],
)
def test_a_credit_that_comes_first_is_judged_again_when_its_cdr_comes(
    books: str,
    other_database: str,
    original: dict[str, Any],
    credit: dict[str, Any],
    *,
    each_alone: bool,
) -> None:
    declare_roaming(other_database)
    one, other = Told(cdr_of(**original)), Told(credit_of(**credit))
    after = Told(cdr_of(id="C2", **_LATER))
    append(books, one, other, after, each_alone=each_alone)
    append(other_database, other, one, after, each_alone=each_alone)
    for dsn in (books, other_database):
        read_all(dsn)
    wanted, found = verdicts(books), verdicts(other_database)

    came = found["C1-C"].codes
    assert came[-1] == "cdr_credit_came_first"
    assert found["C1-C"]._replace(codes=came[:-1]) == wanted["C1-C"]
    assert {key: each for key, each in found.items() if key != "C1-C"} == {
        key: each for key, each in wanted.items() if key != "C1-C"
    }
    assert (wanted["C1-C"].codes == ()) == ((original, credit) in [({}, {}), ({"id": "c1"}, {})])


def test_only_the_first_of_two_credits_that_came_first_takes_its_cdr_back(books: str) -> None:
    append(books, Told(credit_of()), Told(credit_of(id="C1-D")), Told(cdr_of()), each_alone=False)
    read_all(books)

    found = verdicts(books)
    assert found["C1"].credited_by == "C1-C"
    assert found["C1-C"].codes == ("cdr_credit_came_first",)
    assert found["C1-D"].codes == ("cdr_credited_before", "cdr_credit_came_first")
    assert [found[each].verdict for each in ("C1-C", "C1-D")] == ["accepted", "disputed"]


def test_what_a_person_said_of_a_credit_stays_when_its_cdr_comes(books: str) -> None:
    append(books, Told(credit_of()))
    read_all(books)
    append(books, Told(SAID_OF_CREDIT, DISPUTE, direction="out"))
    append(books, Told(cdr_of()))
    read_all(books)

    found = verdicts(books)
    assert found["C1"].credited_by is None
    assert (found["C1-C"].verdict, found["C1-C"].credits) == ("disputed", "C1")
    append(books, Told(SAID_OF_CREDIT, ACCEPT, direction="out"))
    read_all(books)
    assert verdicts(books)["C1"].credited_by == "C1-C"


def test_a_credit_that_names_itself_or_nothing_waits_for_nothing(books: str) -> None:
    append(books, Told(credit_of(credit_reference_id="c1-c")))
    append(books, Told(credit_of(id="C9", credit_reference_id=None)))
    read_all(books)

    assert [row["waits_for"] for row in rows_of(books, "partner_cdr")] == [None, None]
    assert {each.verdict for each in verdicts(books).values()} == {"disputed"}


TAKES_NEGATIVE = OldCorrections.NEGATIVE_CDR


def ours(dsn: str, **changes: object) -> dict[str, Any]:
    """Return a CDR of 2.1.1 of our driver, who stands in it by his contract."""
    contract = contract_of(subject_of(dsn), Issuer("DE-HBC", "Harbour Charging GmbH"))
    return old_cdr_of(**{"auth_id": contract, **changes})


@pytest.mark.parametrize("each_alone", [True, False])
@pytest.mark.parametrize(
    ("original", "negative", "is_of_it"),
    [
        ({}, {}, True),
        ({"total_cost": "8.00"}, {"start_date_time": "2026-03-02T13:00:00+01:00"}, True),
        ({"total_cost": 8.01}, {}, False),
        ({"stop_date_time": "2026-03-02T14:00:00.001Z"}, {}, False),
        ({"currency": "CHF"}, {}, True),
        ({"auth_id": "NOBODYS"}, {"auth_id": "NOBODYS"}, True),
        ({"auth_id": "NOBODYS"}, {}, False),
        ({"charging_periods": [7]}, {}, False),
    ],
)
def test_a_negative_cdr_of_2_1_1_that_comes_first_takes_its_cdr_back_when_that_comes(
    database: str,
    other_database: str,
    original: dict[str, Any],
    negative: dict[str, Any],
    *,
    is_of_it: bool,
    each_alone: bool,
) -> None:
    for dsn in (database, other_database):
        declare_roaming(dsn, corrections=TAKES_NEGATIVE)
        one = Told(ours(dsn, **original))
        other = Told(ours(dsn, **{"id": "N1", "total_cost": -8.0, **negative}))
        append(dsn, *((other, one) if dsn == database else (one, other)), each_alone=each_alone)
        read_all(dsn)
    wanted, found = verdicts(other_database), verdicts(database)

    assert (wanted["N1"].credits == "C1") == is_of_it
    if not is_of_it:
        assert found == wanted
        assert "cdr_credit_without_original" in found["N1"].codes
        return
    codes = found["N1"].codes
    assert codes[-1] == "cdr_credit_came_first"
    assert found["N1"]._replace(codes=codes[:-1]) == wanted["N1"]
    assert found["C1"] == wanted["C1"]


def test_the_first_of_two_negative_cdrs_takes_back_and_the_other_waits_on(database: str) -> None:
    declare_roaming(database, corrections=TAKES_NEGATIVE)
    first, second = (Told(ours(database, id=each, total_cost=-8.0)) for each in ("N1", "N2"))
    append(database, first, second, Told(ours(database)), each_alone=False)
    read_all(database)

    found = verdicts(database)
    assert found["C1"].credited_by == "N1"
    assert [found[each].verdict for each in ("N1", "N2")] == ["accepted", "disputed"]
    assert found["N2"].codes == ("cdr_credit_without_original",)

    append(database, Told(ours(database, id="C2")))
    read_all(database)
    found = verdicts(database)
    assert (found["C2"].codes, found["C2"].credited_by) == ((), "N2")
    assert found["N2"].verdict == "accepted"

    def new_schema(connection: Connection[Any], schema: str) -> None:
        apply(connection, "books", schema=schema)

    with PostgresEventLog(database) as log:
        report = judge_all_again(database, log, new_schema=new_schema)
    assert (report.compared, report.different) == (4, ())


def test_what_a_person_said_of_a_negative_cdr_stays_and_the_next_one_takes_back(
    database: str,
) -> None:
    declare_roaming(database, corrections=TAKES_NEGATIVE)
    append(database, Told(ours(database, id="N1", total_cost=-8.0)))
    read_all(database)
    append(database, Told({**SAID_OF_CREDIT, "id": "N1"}, DISPUTE, direction="out"))
    append(database, Told(ours(database, id="N2", total_cost=-8.0)), Told(ours(database)))
    read_all(database)

    found = verdicts(database)
    assert (found["N1"].verdict, found["N1"].credits) == ("disputed", "C1")
    assert (found["N2"].verdict, found["C1"].credited_by) == ("accepted", "N2")


def test_where_a_partner_gives_no_negative_cdrs_none_takes_back_what_comes_later(
    database: str,
) -> None:
    declare_roaming(database)
    append(database, Told(ours(database, id="N1", total_cost=-8.0)), Told(ours(database)))
    read_all(database)

    found = verdicts(database)
    assert found["C1"].credited_by is None
    assert "cdr_negative" in found["N1"].codes


def test_a_negative_cdr_of_before_waits_as_one_that_comes_now(database: str) -> None:
    declare_roaming(database, corrections=TAKES_NEGATIVE)
    append(database, Told(ours(database, id="N1", total_cost="-8.00")))
    read_all(database)
    [wanted] = rows_of(database, "partner_cdr")
    script = (MIGRATIONS / "books" / "0230_waiting_negative_cdrs.sql").read_bytes()
    with connect(database) as connection:
        connection.execute("UPDATE partner_cdr SET waits_for = NULL, kind = 'cdr'")
        connection.execute(script)

    assert rows_of(database, "partner_cdr") == [wanted]
    assert wanted["waits_for"].endswith("\n8")
    append(database, Told(ours(database)))
    read_all(database)
    assert verdicts(database)["C1"].credited_by == "N1"


SMALLER = {
    "total_cost": {"excl_vat": 5.0, "incl_vat": 6.0},
    "charging_periods": [CDR["charging_periods"][0]],
    "total_energy": 20.0,
}


@pytest.mark.parametrize("each_alone", [True, False])
@pytest.mark.parametrize(
    "instead",
    [
        pytest.param({}, id="of the same session"),
        pytest.param({"session_id": None}, id="of the same time and energy"),
        pytest.param({"session_id": None, **SMALLER}, id="of a time that touches it"),
        pytest.param({"total_cost": {"excl_vat": 9.0}}, id="with a fault of its own"),
    ],
)
def test_what_stands_for_a_cdr_may_come_before_that_is_taken_back(
    books: str, other_database: str, instead: dict[str, Any], *, each_alone: bool
) -> None:
    """Whichever comes first, the verdicts are the same, or what is owed is not paid."""
    declare_roaming(other_database)
    one, back = Told(cdr_of()), Told(credit_of())
    new, third = (Told(cdr_of(id=each, **instead)) for each in ("C2", "C3"))
    append(books, one, back, new, third, each_alone=each_alone)
    append(other_database, one, new, third, back, each_alone=each_alone)
    for dsn in (books, other_database):
        read_all(dsn)

    assert verdicts(other_database) == verdicts(books)
    assert codes_of(other_database) == codes_of(books)
    assert "cdr_duplicate" not in verdicts(books)["C2"].codes
    assert {"cdr_duplicate", "cdr_overlaps"} & set(verdicts(books)["C3"].codes)

    def new_schema(connection: Connection[Any], schema: str) -> None:
        apply(connection, "books", schema=schema)

    with PostgresEventLog(other_database) as log:
        assert judge_all_again(other_database, log, new_schema=new_schema).different == ()


def codes_of(dsn: str) -> dict[str, Any]:
    """Return what was found at each CDR, with its parameters."""
    return {row["cdr_id"]: row["codes"] for row in rows_of(dsn, "partner_cdr")}


def test_what_stands_for_a_cdr_is_a_duplicate_while_a_person_lets_that_stand(books: str) -> None:
    append(books, Told(cdr_of()), Told(credit_of()), Told(cdr_of(id="C2")))
    read_all(books)
    assert verdicts(books)["C2"].verdict == "accepted"

    append(books, Told(SAID_OF_CREDIT, DISPUTE, direction="out"))
    read_all(books)
    assert verdicts(books)["C1"].credited_by is None
    assert verdicts(books)["C2"].codes == ("cdr_duplicate",)

    append(books, Told(SAID_OF_CREDIT, ACCEPT, direction="out"))
    read_all(books)
    assert (verdicts(books)["C2"].verdict, verdicts(books)["C2"].codes) == ("accepted", ())


@pytest.mark.parametrize("what", [ACCEPT, DISPUTE])
def test_what_a_person_said_of_what_stands_for_a_cdr_stays(books: str, what: str) -> None:
    append(books, Told(cdr_of()), Told(cdr_of(id="C2")))
    append(books, Told({**SAID_OF_CREDIT, "id": "C2"}, what, direction="out"), Told(credit_of()))
    read_all(books)

    [row] = [each for each in rows_of(books, "partner_cdr") if each["cdr_id"] == "C2"]
    wanted = "accepted" if what == ACCEPT else "disputed"
    assert (row["verdict"], row["judged"], row["codes"]) == (wanted, "accepted", [])


def test_a_credit_that_is_not_one_leaves_what_came_beside_it(books: str) -> None:
    wrong = credit_of(total_cost={"excl_vat": -7.0, "incl_vat": -8.4})
    append(books, Told(cdr_of()), Told(cdr_of(id="C2")), Told(wrong))
    read_all(books)

    assert verdicts(books)["C2"].codes == ("cdr_duplicate",)


def negated(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body*, a CDR that takes another back, with all of its volumes below 0."""
    made = body | {name: -body[name] for name in ("total_energy", "total_time")}
    made["charging_periods"] = [
        {**period, "dimensions": [{**each, "volume": -each["volume"]} for each in dimensions]}
        for period in body["charging_periods"]
        for dimensions in [period["dimensions"]]
    ]
    return made


@pytest.mark.parametrize("is_old", [False, True])
def test_a_credit_that_negates_its_volumes_too_takes_its_cdr_back(
    database: str,
    is_old: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """OCPI negates the total cost alone; who negates all of it means the same."""
    declare_roaming(database, corrections=TAKES_NEGATIVE)
    one = ours(database) if is_old else cdr_of()
    back = ours(database, id="C1-C", total_cost=-8.0) if is_old else credit_of()
    append(database, Told(one), Told(negated(back)))
    read_all(database)

    found = verdicts(database)
    assert (found["C1-C"].verdict, found["C1-C"].codes) == ("accepted", ())
    assert found["C1"].credited_by == "C1-C"
    assert {row["energy_kwh"] for row in rows_of(database, "partner_cdr")} == {32}


def test_a_cdr_that_takes_nothing_back_has_no_volume_below_0(books: str) -> None:
    append(books, Told(negated(cdr_of())))
    append(books, Told(negated(cdr_of(id="C2", total_cost={"excl_vat": -8.0, "incl_vat": -9.6}))))
    read_all(books)

    assert {each.codes for each in verdicts(books).values()} == {("cdr_unreadable",)}

"""A credit that comes before its CDR is judged by evidence in the end, whichever came first."""

from __future__ import annotations

from typing import Any

import pytest

from roaming_ocpi.incoming.told import ACCEPT, DISPUTE
from tests.roaming_ocpi.incoming.partner_stories import (
    Told,
    append,
    cdr_of,
    credit_of,
    declare_roaming,
    read_all,
    rows_of,
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

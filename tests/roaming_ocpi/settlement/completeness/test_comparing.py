from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from roaming_ocpi.settlement.completeness.comparing import CompletenessReport, their_list
from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import ListedCdr
from roaming_ocpi.settlement.completeness.our_list import ComparedPeriod, our_list
from tests.ledger.settlements.partner_cdrs import (
    ENTITY,
    IN_MARCH,
    OUR_PARTY,
    PARTNER,
    received_cdr,
    sent_cdr,
)

PERIOD = ComparedPeriod(
    PARTNER,
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 4, 1, tzinfo=UTC),
    {ENTITY: OUR_PARTY},
)


@pytest.fixture
def books(database: str) -> Iterator[Connection[Any]]:
    """Two CDRs of ours, a credit, and one of the partner."""
    with connect(database) as connection:
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "B", 500)
        sent_cdr(connection, "B-", 500, kind="credit", credits="B", revision=2)
        received_cdr(connection, "T", "3.5000", tax=Decimal("0.67"))
        yield connection


def compare(
    connection: Connection[Any], theirs: Iterable[ListedCdr], period: ComparedPeriod = PERIOD
) -> CompletenessReport:
    problems = LineProblems()
    with their_list(connection, period) as table:
        table.take(enumerate(theirs, 2), problems)
        return table.compared(problems, limit=10)


def test_the_same_lists_are_equal_in_any_order_and_case(books: Connection[Any]) -> None:
    theirs = [each._replace(cdr_id=each.cdr_id.swapcase()) for each in our_list(books, PERIOD)]

    report = compare(books, reversed(theirs))

    assert report.is_equal
    [ours, partners] = report.sums
    assert (ours.issuer, ours.our_count, ours.our_net, ours.our_energy_kwh) == (
        OUR_PARTY,
        3,
        Decimal(10),
        Decimal(10),
    )
    assert (ours.their_count, ours.their_net, ours.their_energy_kwh) == (
        3,
        Decimal(10),
        Decimal(10),
    )
    assert (partners.issuer, partners.our_net) == (PARTNER, Decimal("3.5"))


def test_what_was_sold_below_0_is_listed_with_its_energy(books: Connection[Any]) -> None:
    sent_cdr(books, "N", -200)
    received_cdr(books, "M", "-2.00")
    received_cdr(books, "M-", "-2.00", version="2.1.1")  # it takes back: there are no credits

    listed = {each.cdr_id: each.energy_kwh for each in our_list(books, PERIOD)}

    assert {name: listed[name] for name in ("N", "M", "M-")} == {"N": 10, "M": 10, "M-": -10}


@pytest.mark.parametrize(("energy", "codes"), [("10", []), ("-10", []), ("9.999", ["energy"])])
def test_a_negative_cdr_of_2_1_1_is_the_same_with_its_energy_either_way(
    books: Connection[Any], energy: str, codes: list[str]
) -> None:
    """Its partner lists it as it is written, and we as what it takes back."""
    received_cdr(books, "M", "-2.00", version="2.1.1", kind="credit", credits="T")
    theirs = [
        each._replace(kind="cdr", credits=None, energy_kwh=Decimal(energy))
        if each.cdr_id == "M"
        else each
        for each in our_list(books, PERIOD)
    ]

    assert list(compare(books, theirs).counts) == codes


def test_what_either_side_lacks_is_counted_with_its_money(books: Connection[Any]) -> None:
    theirs = [each for each in our_list(books, PERIOD) if each.cdr_id != "A"]
    theirs.append(theirs[0]._replace(cdr_id="ghost", net=Decimal(99)))

    report = compare(books, theirs)

    assert not report.is_equal
    assert report.counts == {"only_ours": 1, "only_theirs": 1}
    missing, ghost = report.differences
    assert (missing.cdr_id, missing.our_net, missing.their_net) == ("A", Decimal(10), None)
    assert (ghost.cdr_id, ghost.our_net, ghost.their_net) == ("ghost", None, Decimal(99))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({"net": Decimal("10.0001")}, "net", id="a hundredth of a cent"),
        pytest.param({"energy_kwh": Decimal("10.001")}, "energy", id="a Wh"),
        pytest.param({"currency": "SEK"}, "currency", id="another currency"),
        pytest.param({"kind": "credit"}, "kind", id="a credit of what is none"),
        pytest.param({"ended_at": IN_MARCH + timedelta(seconds=1)}, "end", id="another end"),
        pytest.param({"started_at": IN_MARCH - timedelta(days=1)}, "start", id="another start"),
        pytest.param(
            {"ended_at": datetime(2026, 4, 2, tzinfo=UTC)}, "end", id="an end in another period"
        ),
    ],
)
def test_what_both_say_otherwise_is_named(
    books: Connection[Any], changed: dict[str, object], code: str
) -> None:
    theirs = [
        each._replace(**changed) if each.cdr_id == "A" else each  # type: ignore[arg-type]
        for each in our_list(books, PERIOD)
    ]

    report = compare(books, theirs)

    assert not report.is_equal
    assert [(each.cdr_id, each.codes) for each in report.differences] == [("A", (code,))]


def test_a_credit_of_another_cdr_is_named(books: Connection[Any]) -> None:
    theirs = [each._replace(credits=each.credits and "A") for each in our_list(books, PERIOD)]

    [difference] = compare(books, theirs).differences

    assert difference.codes == ("credits",)


def test_another_tax_is_told_and_is_no_difference(books: Connection[Any]) -> None:
    theirs = [each._replace(tax=Decimal(7)) for each in our_list(books, PERIOD)]

    report = compare(books, theirs)

    assert report.is_equal
    assert report.taxed_otherwise == 4


def test_an_id_that_stands_twice_is_counted_once_and_makes_a_difference(
    books: Connection[Any],
) -> None:
    theirs = list(our_list(books, PERIOD))

    report = compare(books, [*theirs, theirs[0]])

    assert (report.repeated, report.different, report.is_equal) == (1, 0, False)
    assert report.sums[0].their_count == 3


def test_what_is_not_between_the_two_is_named(books: Connection[Any]) -> None:
    theirs = list(our_list(books, PERIOD))

    report = compare(books, [*theirs, theirs[0]._replace(issuer="FR-XYZ")])

    assert not report.is_equal
    assert report.problems == ("line 6: issuer FR-XYZ is neither of the two parties",)


def test_what_lies_outside_the_period_on_both_sides_is_left_out(books: Connection[Any]) -> None:
    sent_cdr(books, "april", 700, ended_at=datetime(2026, 4, 1, tzinfo=UTC))
    sent_cdr(books, "last", 100, ended_at=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC))
    whole = PERIOD._replace(ends_at=datetime(2027, 1, 1, tzinfo=UTC))

    report = compare(books, list(our_list(books, whole)))

    assert report.is_equal
    assert report.outside == 1
    assert report.sums[0].our_count == report.sums[0].their_count == 4


def test_one_issuer_alone_can_be_compared(books: Connection[Any]) -> None:
    only = PERIOD._replace(only=PARTNER)

    report = compare(books, list(our_list(books, only)), only)

    assert [each.issuer for each in report.sums] == [PARTNER]
    assert report.is_equal


def test_many_lines_take_no_more_memory(books: Connection[Any]) -> None:
    [first, *_] = our_list(books, PERIOD)

    def many(count: int) -> Iterator[ListedCdr]:
        for number in range(count):
            yield first._replace(cdr_id=f"N{number}")

    tracemalloc.start()
    try:
        report = compare(books, many(20_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert report.counts == {"only_ours": 4, "only_theirs": 20_000}
    assert len(report.differences) == 10
    assert peak < 2_000_000

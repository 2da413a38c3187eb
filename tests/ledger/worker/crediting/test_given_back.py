"""Lines that a person gave back: the next revision without them, and every one after that."""

from __future__ import annotations

import random

import pytest

from ledger.database import connect
from ledger.rating.decisions import CorrectionCause, SessionRated
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from tests.charging_day import Timed, at, declare_fleet, everywhere, write_log
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.judged.test_corrections import (
    PARKED,
    arrived,
    begun,
    final,
    rating,
    said,
    shown,
    told,
)

CODE = "given_back_by_person"
_OWED = "SELECT coalesce(sum(amount_minor), 0)::int FROM posting WHERE account = '{}'"


def parked(dsn: str) -> str:
    """Return a database in which session C is rated with parking, as revision 2."""
    begun(dsn)
    write_log(dsn, [PARKED])
    work(dsn)
    return dsn


def codes(rated: SessionRated) -> list[bool]:
    """Return of each line whether it says that a person gave it back."""
    return [CODE in {reason.code for reason in line.reasons} for line in rated.lines]


def owed(dsn: str, account: str = "receivable:unbilled") -> int:
    return int(rows(dsn, _OWED.format(account))[0][0])


def test_a_line_that_is_given_back_stands_at_nothing_in_the_next_revision(database: str) -> None:
    dsn = parked(database)
    energy, parking = rating(dsn, 2).lines
    write_log(dsn, [chosen_about("credit", 80, parking.line, revision=2)])
    work(dsn)

    third = rating(dsn, 3)
    assert codes(third) == [False, True]
    assert [line.net_minor for line in third.lines] == [energy.net_minor, 0]
    assert (third.net_minor, third.tax_minor) == (energy.net_minor, energy.tax_minor)
    assert third.lines[1].volume == parking.volume
    assert third.corrects is not None
    said_of_it = third.corrects
    assert (said_of_it.cause, said_of_it.by, said_of_it.revision) == (
        CorrectionCause.CREDIT,
        "ann",
        2,
    )
    assert said_of_it.reason == "the driver could not leave"
    assert owed(dsn) == third.gross_minor
    assert third.billed_wh == third.energy_wh
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_energy_that_is_given_back_is_free(database: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("credit", 80, 1, revision=2)])
    work(dsn)

    third = rating(dsn, 3)
    assert third.free_wh == third.energy_wh
    assert third.billed_wh == 0
    with connect(dsn) as connection:
        assert energy_balance(connection).is_balanced


def test_all_of_a_session_is_given_back_where_no_line_is_named(database: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("credit", 80, revision=2)])
    work(dsn)

    third = rating(dsn, 3)
    assert codes(third) == [True, True]
    assert third.gross_minor == owed(dsn) == owed(dsn, "expected_tax") == 0
    assert third.is_given_back
    # Nobody is sent a document over it.
    assert rows(dsn, "TABLE uninvoiced_session") == []
    assert is_identical(dsn)


@pytest.mark.parametrize(("lines", "left"), [((2,), [True, False]), ((1,), [False, True])])
def test_what_comes_late_is_priced_and_what_was_given_back_stays_so(
    database: str, lines: tuple[int, ...], left: list[bool]
) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("credit", 80, *lines, revision=2)])
    write_log(dsn, [said(35, "SuspendedEV", 5000, received=95)])
    work(dsn)

    last = final(dsn, "CS-NEW-1")
    assert last.revision == 4
    assert [line.starts_at for line in last.lines] == [at(10), at(35)]
    assert [bool(line.net_minor) for line in last.lines] == left
    assert codes(last) == [not each for each in left]
    assert owed(dsn) == last.gross_minor
    assert is_identical(dsn)


def test_a_session_given_back_stays_free_whatever_comes(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [chosen_about("credit", 65, revision=1)])
    write_log(dsn, [PARKED])
    work(dsn)

    last = final(dsn, "CS-NEW-1")
    assert (len(last.lines), last.gross_minor, owed(dsn)) == (2, 0, 0)
    assert all(codes(last))


@pytest.mark.parametrize("revision", [1, 3])
def test_a_choice_about_another_revision_than_holds_does_nothing(
    database: str, revision: int
) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("credit", 80, 1, revision=revision)])
    work(dsn)

    assert shown(dsn)[1] == 2
    assert rows(dsn, "SELECT reason, lines FROM set_aside") == [("choice_without_held_session", 1)]


def test_what_is_free_already_is_not_given_back_again(database: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("credit", 80, 2, revision=2)])
    write_log(dsn, [chosen_about("credit", 81, 2, revision=3)])
    work(dsn)

    assert shown(dsn)[1] == 3


def test_what_is_disputed_is_flagged_until_somebody_decides(database: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("dispute", 80, 2, revision=2)])
    write_log(dsn, [said(35, "SuspendedEV", 5000, received=95)])
    work(dsn)
    assert shown(dsn)[1] == 3
    assert "disputed" in shown(dsn)[3]

    write_log(dsn, [chosen_about("uphold", 100, 2, revision=3)])
    work(dsn)

    assert "disputed" not in shown(dsn)[3]
    said_of_it = final(dsn, "CS-NEW-1").corrects
    assert said_of_it is not None
    assert said_of_it.cause is CorrectionCause.DISPUTE
    assert codes(final(dsn, "CS-NEW-1")) == [False, True]
    assert is_identical(dsn)


def test_a_dispute_that_is_rejected_leaves_the_price(database: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about("dispute", 80, revision=2)])
    write_log(dsn, [chosen_about("reject", 81)])
    work(dsn)

    assert shown(dsn)[1] == 2
    assert "disputed" not in shown(dsn)[3]
    assert is_identical(dsn)


@pytest.mark.parametrize("choice", ["uphold", "reject"])
def test_what_nobody_disputes_is_not_decided(database: str, choice: str) -> None:
    dsn = parked(database)
    write_log(dsn, [chosen_about(choice, 80)])  # type: ignore[arg-type]
    work(dsn)

    assert shown(dsn)[1] == 2
    assert rows(dsn, "SELECT lines FROM set_aside") == [(1,)]


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_what_was_given_back_is_missing_of_one_rating_of_all_facts(
    database: str, seed: int
) -> None:
    """All of the parking is given back, whenever in the days after the stop that is said."""
    chance = random.Random(seed)
    version = declare_fleet(database)
    lines: list[Timed] = [*everywhere(version, -1), *told("CS-NEW-2")]
    lines += arrived(told("CS-NEW-1"), chance)
    write_log(database, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)
    work(database)
    first = final(database, "CS-NEW-1")
    parking = [line.line for line in first.lines if line.dimension == "PARKING_TIME"]
    write_log(
        database,
        [
            chosen_about(
                "credit",
                9_100,
                *parking,
                revision=first.revision,
                session_id=first.session_id,
            )
        ],
    )
    more = [said(5, "SuspendedEV", 0, received=9_200), said(12, "Charging", 0, received=9_300)]
    chance.shuffle(more)
    write_log(database, sorted(more, key=lambda timed: timed[0]), lines_a_record=1)
    work(database)

    last, in_order = final(database, "CS-NEW-1"), final(database, "CS-NEW-2")
    net = sum(line.net_minor for line in in_order.lines if line.dimension != "PARKING_TIME")
    assert last.net_minor == net
    assert owed(database) == last.gross_minor + in_order.gross_minor
    assert is_identical(database)

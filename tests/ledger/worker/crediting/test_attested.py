"""A stop that a person attests: what it prices, what comes after it, and what it never does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.database import connect
from ledger.log.envelope import Attested, Choice, encode_line
from ledger.rating.decisions import CorrectionCause
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from tests.charging_day import Timed, at, declare_fleet, event201, everywhere, tick, write_log
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.crediting.test_given_back import owed
from tests.ledger.worker.judged.test_corrections import SESSION, begun, chosen, rating, said, shown

START = event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1")
READ = said(30, "Charging", 3000)


def attested(
    minutes: float,
    ended: float,
    wh: int | None = 5000,
    *,
    held: bool = True,
    by: str = "mara, theo",
    revision: int | None = None,
) -> Timed:
    """Return the line of persons who say that session C ended so, with that register."""
    line = Choice(
        received_at=at(minutes),
        station="CS-NEW-1",
        session_id=SESSION,
        choice="attest",
        by=by,
        reason="5.0 on a photo",
        revision=revision,
        attested=Attested(
            ended_at=at(ended), meter_stop_wh=None if wh is None else Decimal(wh), of_held=held
        ),
    )
    return line.received_at, line.station, line


def lost(dsn: str) -> str:
    """Return a database in which session C is held: its stop never came."""
    version = declare_fleet(dsn)
    write_log(dsn, [*everywhere(version, -1), START, READ, *tick(3000)])
    work(dsn)
    assert shown(dsn)[0] == "held"
    return dsn


def assert_whole(dsn: str) -> None:
    """The books balance, to the cent and the Wh, and a replay comes to the same bytes."""
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_a_session_is_priced_by_what_a_person_says_of_its_stop(database: str) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, 60)])
    work(dsn)

    state, revision, reasons, flags = shown(dsn)
    assert (state, revision, reasons) == ("released", 1, [])
    assert "stop_attested" in flags
    assert "stop_lost" not in flags
    first = rating(dsn, 1)
    # 5 kWh at 0.40 before 19 % of VAT.
    assert (first.energy_wh, first.ended_at, first.gross_minor) == (Decimal(5000), at(60), 238)
    assert first.gross_minor == owed(dsn)
    assert first.release is not None
    assert first.release.by == "mara, theo"
    [note] = first.notes
    assert (note.code, note.parameters) == (
        "attested_by", {"by": "mara, theo", "why": "5.0 on a photo", "kwh": "5"}
    )  # fmt: skip
    assert rows(dsn, "SELECT ended_at, meter_stop_wh FROM session") == [(at(60), 5000)]
    assert_whole(dsn)


def stopped(ended: float, wh: int, received: float) -> Timed:
    return event201("CS-NEW-1", ended, "Ended", "C", 0, wh, received=received)


LATER = {
    "the same stop": (stopped(60, 5000, 3100), []),
    "the same stop half a minute later": (stopped(60.5, 5000, 3100), []),
    "another register": (stopped(60, 5400, 3100), ["stop_told_since"]),
    "another time": (stopped(70, 5000, 3100), ["stop_told_since"]),
    "a reading between": (said(45, "Charging", 4900, received=3100), ["stop_attested"]),
}


@pytest.mark.parametrize(("late", "waits_for"), LATER.values(), ids=LATER.keys())
def test_what_its_station_says_after_it_moves_no_money_without_a_person(
    database: str, late: Timed, waits_for: list[str]
) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, 60)])
    write_log(dsn, [late])
    work(dsn)

    state, revision, reasons, flags = shown(dsn)
    assert (state, revision, reasons) == ("released", 1, waits_for)
    assert ("correction_waits" in flags) == bool(waits_for)
    assert owed(dsn) == 238
    assert_whole(dsn)


def test_what_the_station_told_since_holds_once_a_person_agrees(database: str) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, 60)])
    write_log(dsn, [stopped(60, 5400, 3100)])
    write_log(dsn, [chosen(SESSION, 3200)])
    work(dsn)

    second = rating(dsn, 2)
    assert (second.energy_wh, second.gross_minor, second.notes) == (
        Decimal(5400), 257, ()
    )  # fmt: skip
    assert second.gross_minor == owed(dsn)
    # Told once more it is no news, and who saw the meter may still insist.
    write_log(dsn, [stopped(60, 5400, 3300), attested(3400, 60, held=False, revision=2)])
    work(dsn)
    assert (rating(dsn, 3).energy_wh, owed(dsn)) == (Decimal(5000), 238)
    write_log(dsn, [stopped(60, 5400, 3500)])
    work(dsn)
    assert "correction_waits" not in shown(dsn)[3]
    assert_whole(dsn)


def test_what_a_station_said_is_corrected_by_a_person(database: str) -> None:
    dsn = begun(database)
    was = rating(dsn, 1)
    write_log(dsn, [attested(200, 50, 4000, held=False, revision=1)])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 2)
    second = rating(dsn, 2)
    assert (second.energy_wh, second.ended_at) == (Decimal(4000), at(50))
    assert owed(dsn) == second.gross_minor
    assert second.gross_minor < was.gross_minor
    assert second.corrects is not None
    assert second.corrects.cause is CorrectionCause.PERSON
    assert (second.corrects.by, second.corrects.energy_wh) == ("mara, theo", Decimal(5000))
    assert_whole(dsn)


def test_what_was_attested_and_taken_back_waits_for_a_person(database: str) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, 60)])
    write_log(dsn, [chosen_about("take_back", 3020)])
    write_log(dsn, [said(40, "Charging", 4000, received=3030)])
    work(dsn)
    assert owed(dsn) == 0
    assert "correction_waits" in shown(dsn)[3]
    write_log(dsn, [attested(3040, 60, 4500, held=False)])
    work(dsn)

    assert (rating(dsn, 3).energy_wh, owed(dsn)) == (Decimal(4500), 214)
    assert "correction_waits" not in shown(dsn)[3]
    assert_whole(dsn)


def next_one(wh: int) -> list[Timed]:
    """Return the next session at that place, from minute 100 on."""
    return [
        event201("CS-NEW-1", 100, "Started", "D", 0, wh, token="FLEET1"),
        event201("CS-NEW-1", 160, "Ended", "D", 1, wh + 2000),
    ]


@pytest.mark.parametrize(
    ("ended", "wh", "is_taken"),
    [(60, 4000, True), (100, 3900, True), (60, 4001, False), (101, 3900, False)],
)
def test_what_is_the_next_sessions_is_not_attested_away(
    database: str, ended: float, wh: int, *, is_taken: bool
) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), START, READ, *next_one(4000), *tick(3000)])
    work(database)
    write_log(database, [attested(3010, ended, wh)])
    work(database)

    states = dict(rows(database, "SELECT transaction_ref, state FROM session"))
    assert states == {"C": "released" if is_taken else "held", "D": "rated"}
    assert_whole(database)


@pytest.mark.parametrize(("ended", "wh"), [(60, 2000), (20, 2000), (60, None), (20, None)])
def test_less_than_was_read_is_billed_as_said_and_the_rest_is_nobodys(
    database: str, ended: float, wh: int | None
) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, ended, wh)])
    work(dsn)

    assert shown(dsn)[0] == "released"
    assert rating(dsn, 1).energy_wh == (2000 if wh else 3000 if ended > 30 else 0)
    assert_whole(dsn)


REFUSED = {
    "before its start": attested(3010, 5),
    "in the future": attested(3010, 3020),
    "a register below its start": attested(3010, 60, -1),
    "a session that had a price when it was looked at": attested(3010, 60, held=False),
    "another revision": attested(3010, 60, revision=2),
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_changes_nothing(database: str, line: Timed) -> None:
    dsn = lost(database)
    before = shown(dsn), rows(dsn, "SELECT count(*), sum(length(facts)) FROM fact")
    write_log(dsn, [line])
    work(dsn)

    assert (shown(dsn), rows(dsn, "SELECT count(*), sum(length(facts)) FROM fact")) == before
    assert rows(dsn, "SELECT reason, lines FROM set_aside") == [("choice_without_held_session", 1)]
    assert_whole(dsn)


def test_of_two_who_say_it_at_once_the_first_is_taken(database: str) -> None:
    dsn = lost(database)
    write_log(dsn, [attested(3010, 60), attested(3010, 61, 9000), chosen_about("release", 3010)])
    work(dsn)

    assert (shown(dsn)[:2], owed(dsn)) == (("released", 1), 238)
    assert rows(dsn, "SELECT lines FROM set_aside") == [(2,)]
    assert_whole(dsn)


def test_a_line_without_anything_attested_is_that_of_before() -> None:
    _, _, line = chosen_about("release", 10)
    assert b"attested" not in encode_line(line)

"""`wattledger sessions`: who charged, what is held and why, and a person's decision about it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from cyclopts import Parameter

from deploy.commands.data_folder import PLAIN, READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened, opened_with_log
from deploy.running.owner import is_up

if TYPE_CHECKING:
    from projections.sessions import SessionCost, SessionSummary

State = Literal["open", "waiting", "rated", "held", "released", "written_off"]
COLUMNS = {
    "session": "left",
    "token": "left",
    "state": "left",
    "started": "left",
    "ended": "left",
    "kWh": "right",
    "cost": "right",
    "flags": "left",
}
_DECIDE: Final = (
    "Decide with:",
    "  wattledger sessions release|write-off SESSION --reason WHY",
    "  wattledger sessions attest SESSION --ended-at WHEN --register-kwh KWH --reason WHY",
    "  wattledger sessions correct SESSION --reason WHY  (one that is rated)",
    "  wattledger dispute SESSION --resolve uphold|reject --reason WHY  (one that is disputed)",
)


def listed(
    *,
    state: State | None = None,
    station: str | None = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List charging sessions and what they cost, the newest first. Times are UTC.

    Args:
        state: Only those in this state.
        station: Only those at this station.
        limit: At most so many.
        folder: Where.
    """
    from ledger.facts.flags import blockers_of, meaning_of
    from projections.session_costs import with_costs
    from projections.sessions import list_sessions

    with opened(folder.settings()) as connection:
        found = list_sessions(connection, state=state, station_id=station, limit=limit)
        sessions = with_costs(connection, found)
    if folder.json:
        print_json(sessions)
        return 0
    rows = [
        (
            each.session_id,
            each.token_uid,
            each.state,
            each.started_at,
            each.ended_at,
            _kwh(each.energy_wh),
            _cost(each.cost),
            each.flags,
        )
        for each in sessions
    ]
    print_rows("Sessions", COLUMNS, rows)
    _say_what_was_told(sessions)
    waiting = [each for each in sessions if each.state == "waiting"]
    if waiting:
        say("What waits may be settled by a frame that still comes; else it is held after a while:")
        for flag in blockers_of(flag for each in waiting for flag in each.flags):
            say(f"  {flag}: {meaning_of(flag)}")
    if any(each.state == "held" for each in sessions):
        say("Why some are held, and how to decide: wattledger sessions held")
    return 0


def _say_what_was_told(sessions: list[SessionSummary]) -> None:
    from ledger.rating.english import ENGLISH
    from projections.sessions import told_otherwise

    for each in sessions:
        if (told := told_otherwise(each)) is not None:
            say(f"{each.session_id}: {ENGLISH.words(told)}")


def held(*, limit: Limit = 200, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the sessions that wait for a person's decision, each with its reasons.

    Args:
        limit: At most so many.
        folder: Where.
    """
    from projections.sessions import held_sessions

    with opened(folder.settings()) as connection:
        waiting = held_sessions(connection, limit=limit)
    if folder.json:
        print_json(waiting)
        return 0
    columns = {"session": "left", "started": "left", "kWh": "right", "why it is held": "left"}
    rows = [
        (
            each.session.session_id,
            each.session.started_at,
            _kwh(each.session.energy_wh),
            " ".join(each.reasons),
        )
        for each in waiting
    ]
    print_rows("Held sessions", columns, rows)
    if rows:
        say(*_DECIDE)
    return 0


def _cost(cost: SessionCost | None) -> str | None:
    """Return what is to be paid, taxes included; that of an open session may still change."""
    from tariffs.quantities import money_of_minor

    if cost is None:
        return None
    if cost.gross_minor is None or cost.currency is None:
        return f"none yet: {', '.join(cost.codes)}"
    money = money_of_minor(cost.gross_minor, cost.currency)
    return str(money) if cost.is_final else f"{money} so far"


def _kwh(energy_wh: Decimal | None) -> Decimal | None:
    return None if energy_wh is None else energy_wh / 1000


Reason = Annotated[str, Parameter(help="Why; it is kept with the decision.")]


def release(
    session: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Release a held session: it is rated as it is and invoiced; its flags stay on it.

    Args:
        session: The session's id.
        reason: Why; it is kept with the decision.
        by: Who decides (default: your login).
        folder: Where.
    """
    return _choose(session, "release", reason, by, folder)


def write_off(
    session: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Write a held session off: nothing is ever billed for it.

    Args:
        session: The session's id.
        reason: Why; it is kept with the decision.
        by: Who decides (default: your login).
        folder: Where.
    """
    return _choose(session, "write_off", reason, by, folder)


def correct(
    session: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Have a rated session priced again: by all that came since, as master data is now.

    The next revision holds; what was invoiced is credited.

    Args:
        session: The session's id.
        reason: Why; it is kept with the decision.
        by: Who decides (default: your login).
        folder: Where.
    """
    return _choose(session, "correct", reason, by, folder)


def attest(
    session: str,
    *,
    reason: Reason,
    ended_at: datetime | None = None,
    register_kwh: Annotated[Decimal | None, PLAIN] = None,
    sure: bool = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Say when a session ended, and what its register showed then: it is priced by that.

    It is a fact of yours beside those of the station, and flagged. What you leave out is as the
    station told it.

    Args:
        session: The session's id.
        reason: Why; it is kept with the decision.
        ended_at: When, with its offset: 2026-03-31T14:05:00+02:00.
        register_kwh: What the register showed then: 12345.678.
        sure: Also where what is known makes it doubtful.
        by: Who decides (default: your login).
        folder: Where.
    """
    return _choose(session, "attest", reason, by, folder, SaidStop(ended_at, register_kwh, sure))


def take_back(
    session: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Take a release or a write-off back.

    What was released is not billed any more, and what was invoiced of it credited; it waits for a
    person, or for what settles its doubts. What was written off is rated as it is.

    Args:
        session: The session's id.
        reason: Why; it is kept with the decision.
        by: Who decides (default: your login).
        folder: Where.
    """
    return _choose(session, "take_back", reason, by, folder)


def withdraw(
    session: str, *, reason: Reason, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Take back what one person proposed about a session and no other agreed to yet.

    Args:
        session: The session's id.
        reason: Why; it is kept beside what was proposed.
        by: Who withdraws it (default: your login).
        folder: Where.
    """
    from deploy.commands.crediting.chosen import withdrawn
    from ledger.desk.withdrawing.withdrawn import About

    return withdrawn(About.SESSION, session, reason, by, folder)


class SaidStop(NamedTuple):
    """What is said of a stop; None: as the station told it."""

    ended_at: datetime | None
    register_kwh: Decimal | None
    is_sure: bool


def _choose(
    session: str,
    act: Literal["release", "write_off", "correct", "attest", "take_back"],
    reason: str,
    by: str | None,
    folder: ReadingFolder,
    stop: SaidStop | None = None,
) -> int:
    from deploy.clock import SystemClock
    from deploy.running.turns import work_off
    from ledger.declared.store import load_declarations
    from ledger.desk.second_person import ProposedChoice
    from projections.deciding.attesting import stop_said_of
    from projections.deciding.choosing import ChoiceWish, make_choice

    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        attested = None
        if stop is not None:
            wh = None if stop.register_kwh is None else stop.register_kwh * 1000
            attested = stop_said_of(connection, session, ended_at=stop.ended_at, meter_stop_wh=wh)
        chosen = make_choice(
            connection,
            load_declarations(connection),
            ChoiceWish(
                session,
                act,
                acting(by),
                reason,
                attested=attested,
                is_sure=stop is not None and stop.is_sure,
            ),
            at=SystemClock().now(),
            log=log,
            work_off=None if is_up(settings) else work_off,
        )
    if folder.json:
        print_json(chosen)
    elif isinstance(chosen, ProposedChoice):
        say(f"session {session}: it waits for another person, who says the same")
    else:
        at = f"{chosen.at.partition}/{chosen.at.position}"
        why = f" ({', '.join(chosen.reasons)})" if chosen.reasons else ""
        say(f"session {session} is {chosen.state}{why}; the choice stands in the log at {at}")
    if isinstance(chosen, ProposedChoice):
        return 0
    is_undone = act == "take_back" and chosen.state == "written_off"
    return 1 if chosen.state == "held" or is_undone else 0

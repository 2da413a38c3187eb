"""`wattledger visits`: drivers without contract, who pay by card for one session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened
from ledger.payments.visits.visit import CardVisit, VisitState

if TYPE_CHECKING:
    from psycopg import Connection

COLUMNS: Final = {
    "visit": "right",
    "state": "left",
    "station": "left",
    "evse": "right",
    "wanted (UTC)": "left",
    "amount": "right",
    "held": "right",
    "taken": "right",
    "why": "left",
}
STEPS: Final = {"state": "left", "at (UTC)": "left", "why": "left"}
TEST_CARD: Final = "pm_card_visa"
_LOOK_SECONDS: Final = 0.2


class NoVisitError(DeployError):
    """There is no visit of that number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no visit {number}: `wattledger visits list` shows them")


class NotReleasedError(DeployError):
    """Nothing of a visit can be let go where it is."""

    def __init__(self, visit: CardVisit) -> None:
        super().__init__(
            f"visit {visit.number} is {visit.state}: only what is held, and charges no car, can be "
            "let go; a session is stopped with `wattledger station stop`"
        )


def listed(
    *, state: VisitState | None = None, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER
) -> int:
    """List visits, the newest first: drivers who pay by card for one session.

    Args:
        state: Only those.
        limit: At most so many.
        folder: Where.
    """
    from ledger.payments.visits.kept import listed_visits
    from projections.invoice_list import amount

    with opened(folder.settings()) as connection:
        visits = listed_visits(connection, states=[state] if state else [], limit=limit)
    if folder.json:
        print_json([_as_json(each) for each in visits])
        return 0
    rows = [
        (
            str(each.number),
            each.state.value,
            each.station_id,
            str(each.evse_id),
            f"{each.wanted_at:%Y-%m-%d %H:%M}",
            amount(each.amount_minor, each.currency),
            amount(each.held_minor, each.currency),
            amount(each.taken_minor, each.currency),
            each.reason,
        )
        for each in visits
    ]
    print_rows("Visits", COLUMNS, rows)
    return 0


def show(number: int, /, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show a visit: each step, what is held and taken, its sessions and its receipt.

    Args:
        number: The visit's number.
        folder: Where.
    """
    from ledger.payments.visits.kept import steps_of
    from projections.visit_view import show_visit

    with opened(folder.settings()) as connection:
        visit = _found(connection, number)
        steps = steps_of(connection, number)
        view = show_visit(connection, visit)
    if folder.json:
        told = [{"state": state, "at": at, "reason": why} for state, why, at in steps]
        print_json({"visit": view, "steps": told, "intent": visit.intent_id})
        return 0
    rows = [(state, f"{at:%Y-%m-%d %H:%M:%S}", why) for state, why, at in steps]
    print_rows(f"Visit {number} at {view.station}, EVSE {view.evse}", STEPS, rows)
    say(f"put aside: {view.amount} {view.currency}; held: {view.held}; taken: {view.taken}")
    if visit.reason:
        say(f"now: {visit.state}, {visit.reason}")
    for session in view.sessions:
        say(f"session {session}")
    if view.cost is not None:
        so_far = "" if view.is_final else " so far"
        say(f"costs{so_far}: {view.cost} {view.currency}, {view.energy_wh} Wh")
    for receipt in view.receipts:
        say(f"invoice {receipt}: `wattledger invoice show {receipt}`")
    return 0


def start(
    station: str,
    /,
    *,
    evse: int = 1,
    method: str = TEST_CARD,
    by: str | None = None,
    wait: float = 30,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Open a visit with a test card, and wait until its station was told to start.

    The provider is asked by the part `payments` (`wattledger up` runs it where a key is set).

    Args:
        station: Where.
        evse: Which of its EVSEs.
        method: The provider's name of a means of payment; with a test key its test cards.
        by: Who opens it (default: your login).
        wait: So many seconds it is waited for at most.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.visits.desk import VisitDesk
    from ledger.payments.visits.kept import find_visit

    settings = folder.settings()
    with opened(settings) as connection:
        desk = VisitDesk(settings, SystemClock().now)
        made = desk.open(connection, station, evse, by=acting(by), method_id=method)
        visit, limit = made.visit, time.monotonic() + wait
        before = {VisitState.WANTED, VisitState.HOLDING, VisitState.HELD}
        while visit.state in before and time.monotonic() < limit:
            time.sleep(_LOOK_SECONDS)
            visit = find_visit(connection, visit.number) or visit
    if folder.json:
        print_json(_as_json(visit) | {"secret": made.secret})
    else:
        why = f" ({visit.reason})" if visit.reason else ""
        say(f"visit {visit.number} is {visit.state}{why}")
        say(f"`wattledger visits show {visit.number}` follows it; its secret: {made.secret}")
        if visit.state is VisitState.WANTED:
            say(
                "the provider has not answered: is `wattledger up` (or `run payments`) there with "
                f"its key? `wattledger payments show {visit.key('hold')}` says how often it asked"
            )
    return 1 if visit.state in {VisitState.FAILED, VisitState.RELEASED} else 0


def release(
    number: int, /, *, reason: str, by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Let go of what is held for a visit; what it owes by then stays open.

    Args:
        number: The visit's number.
        reason: Why.
        by: Who decides it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.recording import check_reason
    from ledger.payments.visits.releasing import release_visit

    check_reason(reason)
    with opened(folder.settings()) as connection:
        _found(connection, number)
        now = SystemClock().now()
        visit = release_visit(connection, number, reason=reason, by=acting(by), now=now)
        if visit is None:
            raise NotReleasedError(_found(connection, number))
    if folder.json:
        print_json(_as_json(visit))
    else:
        say(f"visit {number} is {visit.state}: what is held is let go")
    return 0


def _found(connection: Connection[Any], number: int) -> CardVisit:
    from ledger.payments.visits.kept import find_visit

    visit = find_visit(connection, number)
    if visit is None:
        raise NoVisitError(number)
    return visit


def _as_json(visit: CardVisit) -> dict[str, object]:
    return {
        "visit": visit.number,
        "state": visit.state,
        "reason": visit.reason,
        "station": visit.station_id,
        "evse": visit.evse_id,
        "currency": visit.currency,
        "amount_minor": visit.amount_minor,
        "held_minor": visit.held_minor,
        "taken_minor": visit.taken_minor,
        "wanted_at": visit.wanted_at,
        "wanted_by": visit.wanted_by,
    }

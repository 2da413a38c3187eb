"""`wattledger correct`: what a selection of rated sessions would cost now, and having it so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.login import login
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.progress_bar import progress_bar
from deploy.running.opening import opened_with_log
from deploy.running.owner import is_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from ledger.log.envelope import Choice
    from projections.correcting.differences import (
        BilledOtherwise,
        CustomerDifference,
        RatedSelection,
    )

_WHICH: Final = Group("Which sessions", sort_key=4)
_COLUMNS: Final = {
    "payer": "left",
    "sessions": "right",
    "was": "right",
    "now": "right",
    "difference": "right",
}


class ReasonMissingError(DeployError):
    """Whoever corrects says why."""

    def __init__(self) -> None:
        super().__init__("correct --apply needs --reason WHY: it is kept with each decision")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Which:
    """Which rated sessions are priced again."""

    since: Annotated[date, Parameter(name="--from", group=_WHICH)]
    """First day (UTC) on which they began."""

    until: Annotated[date, Parameter(name="--to", group=_WHICH)]
    """The day after the last."""

    station: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only of this station."""

    site: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only at this site."""

    tariff: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only by this tariff."""

    customer: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only of this customer."""


def correct(
    *,
    which: Which,
    reason: str | None = None,
    apply: bool = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Price rated sessions again, by all that is known now: say what differs, then correct it.

    Without --apply nothing is decided. With it each session that would be billed otherwise is
    corrected, and what was invoiced is credited. It may be ended and begun again at any moment.

    Args:
        which: Which sessions.
        reason: Why; it is kept with each decision. Needed with --apply.
        apply: Have them corrected.
        by: Who decides (default: your login).
        folder: Where.
    """
    if apply and not reason:
        raise ReasonMissingError
    from deploy.running.turns import work_off
    from ledger.desk.corrections import correct_all
    from ledger.persons.store import names_of
    from projections.correcting.differences import by_customer

    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        found = _differences(connection, which, is_shown=not folder.json)
        changed = [each for each in found if each.now is not None]
        customers = by_customer(changed)
        if apply:
            choices = _choices(changed, reason or "", by or login())
            turn = None if is_up(settings) else work_off
            with progress_bar("correcting", is_shown=not folder.json) as told:
                correct_all(connection, choices, log=log, work_off=turn, told=told)
        names = names_of(connection, [each.payer for each in customers])
    if folder.json:
        unpriced = [each.was.session_id for each in found if each.now is None]
        done = {"sessions": len(changed), "unpriced": unpriced, "is_applied": apply}
        print_json(done | {"customers": customers})
        return 0
    _print(customers, names)
    _say(found, len(changed), is_applied=apply)
    return 0


def _differences(
    connection: Connection[Any], which: Which, *, is_shown: bool
) -> list[BilledOtherwise]:
    from ledger.declared.store import load_declarations
    from projections.correcting.differences import differences, selected_stations

    selection = _selection(connection, which)
    declarations = load_declarations(connection)
    stations = selected_stations(connection, selection)
    total, done = sum(stations.values()), 0
    found: list[BilledOtherwise] = []
    with progress_bar("pricing again", is_shown=is_shown) as told:
        for station, count in stations.items():
            found += differences(connection, declarations, selection, station)
            done += count
            told(done, total, f"{len(found)} differ")
    return found


def _selection(connection: Connection[Any], which: Which) -> RatedSelection:
    from ledger.persons.holders import customer_holder
    from ledger.persons.store import find
    from projections.correcting.differences import RatedSelection

    customer = which.customer
    if customer is not None:
        found = find(connection, [customer_holder(customer)])
        if not found:
            message = f"there is no customer {customer}"
            raise DeployError(message)
        [subject] = found.values()
        customer = subject.id
    return RatedSelection(
        since=datetime.combine(which.since, time(0), tzinfo=UTC),
        until=datetime.combine(which.until, time(0), tzinfo=UTC),
        station=which.station,
        site=which.site,
        tariff=which.tariff,
        customer=customer,
    )


def _choices(found: Sequence[BilledOtherwise], reason: str, by: str) -> list[Choice]:
    from deploy.clock import SystemClock
    from ledger.log.envelope import Choice

    now = SystemClock().now()
    return [
        Choice(
            received_at=now,
            station=each.was.station_id,
            session_id=each.was.session_id,
            choice="correct",
            by=by,
            reason=reason,
        )
        for each in found
    ]


def _print(customers: Sequence[CustomerDifference], names: Mapping[str, str]) -> None:
    from projections.invoice_list import amount

    rows = [
        (
            names.get(each.payer, each.payer),
            each.sessions,
            amount(each.was_minor, each.currency),
            amount(each.now_minor, each.currency),
            amount(each.difference_minor, each.currency),
        )
        for each in customers
    ]
    print_rows("Taxes included", _COLUMNS, rows)


def _say(found: Sequence[BilledOtherwise], changed: int, *, is_applied: bool) -> None:
    from ledger.rating.english import ENGLISH

    for each in found:
        if each.now is None:
            why = " ".join(map(ENGLISH.words, each.reasons))
            say(f"{each.was.session_id} is left as it is: {why}")
    if not changed:
        say("Nothing would be billed otherwise.")
    elif is_applied:
        say(f"{changed} sessions are corrected: wattledger explain shows what each one was.")
    else:
        say(f"{changed} sessions would be billed otherwise. Have them corrected: --apply --reason")

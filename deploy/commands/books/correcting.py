"""`wattledger correct`: what a selection of rated sessions would cost now, and having it so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from cyclopts import Group, Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.progress_bar import progress_bar
from deploy.running.opening import opened_with_log
from deploy.running.owner import is_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from ledger.log.envelope import Choice
    from projections.correcting.differences import CustomerDifference, PayerTotals, RatedSelection

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

    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        found = _found(connection, which, is_shown=not folder.json)
        if apply:
            choices = _choices(found.changed, reason or "", acting(by))
            turn = None if is_up(settings) else work_off
            with progress_bar("correcting", is_shown=not folder.json) as told:
                correct_all(connection, choices, log=log, work_off=turn, told=told)
        customers = found.totals.rows()
        names = names_of(connection, [each.payer for each in customers])
    if folder.json:
        done = {"sessions": len(found.changed), "unpriced": list(found.unpriced)}
        print_json(done | {"is_applied": apply, "customers": customers})
        return 0
    _print(customers, names)
    _say(found, is_applied=apply)
    return 0


class _Found(NamedTuple):
    """What would be billed otherwise: stations and ids, and why others have no price."""

    changed: list[tuple[str, str]]
    unpriced: dict[str, str]
    totals: PayerTotals


def _found(connection: Connection[Any], which: Which, *, is_shown: bool) -> _Found:
    from ledger.declared.store import load_declarations
    from ledger.rating.english import ENGLISH
    from projections.correcting.differences import PayerTotals, differences, selected_stations

    selection = _selection(connection, which)
    declarations = load_declarations(connection)
    stations = selected_stations(connection, selection)
    total, done = sum(stations.values()), 0
    found = _Found([], {}, PayerTotals())
    with progress_bar("pricing again", is_shown=is_shown) as told:
        for station, count in stations.items():
            for was, now, reasons in differences(connection, declarations, selection, station):
                if now is None:
                    found.unpriced[was.session_id] = " ".join(map(ENGLISH.words, reasons))
                else:
                    found.changed.append((station, was.session_id))
                    found.totals.add(was, now)
            done += count
            told(done, total, f"{len(found.changed)} differ")
    return found


def _selection(connection: Connection[Any], which: Which) -> RatedSelection:
    from ledger.persons.holders import customer_holder
    from ledger.persons.store import find
    from projections.correcting.differences import RatedSelection

    customer = which.customer
    if customer is not None:
        found = find(connection, [customer_holder(customer)])
        if not found:
            message = f"there is no customer {customer}: `wattledger apply` declares customers"
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


def _choices(changed: Sequence[tuple[str, str]], reason: str, by: str) -> list[Choice]:
    from deploy.clock import SystemClock
    from ledger.log.envelope import Choice

    now = SystemClock().now()
    return [
        Choice(
            received_at=now,
            station=station,
            session_id=session_id,
            choice="correct",
            by=by,
            reason=reason,
        )
        for station, session_id in changed
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


def _say(found: _Found, *, is_applied: bool) -> None:
    for session_id, why in found.unpriced.items():
        say(f"{session_id} is left as it is: {why}")
    count = len(found.changed)
    if not count:
        say("Nothing would be billed otherwise.")
    elif is_applied:
        say(f"{count} sessions are corrected: wattledger explain shows what each one was.")
    else:
        say(
            f"{count} sessions would be billed otherwise. Have them corrected: --apply --reason WHY"
        )

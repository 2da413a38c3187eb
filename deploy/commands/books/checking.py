"""`wattledger balance` and `wattledger replay`: is every Wh and every cent accounted for?"""

from __future__ import annotations

import os
from datetime import date
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deploy.commands.closing.gathering import month_of
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened, opened_with_log

if TYPE_CHECKING:
    from psycopg import Connection

    from projections.balances.energy import EnergyBalance, EnergyDay
    from projections.balances.trial import TrialBalance
    from projections.replay.replay import ReplayReport

CONTEXT = 120
WORKERS_MAX = 32
"""Each has two connections to the database, which takes a hundred."""
ENERGY_COLUMNS = {
    "station": "left",
    "day": "left",
    "metered Wh": "right",
    "billed": "right",
    "free by rule": "right",
    "held": "right",
    "unattributed": "right",
    "dropped": "right",
    "difference": "right",
}
ACCOUNT_COLUMNS = {"account": "left", "debit": "right", "credit": "right", "balance": "right"}


class TwoEndsError(DeployError):
    """A trial balance has one end."""

    def __init__(self) -> None:
        super().__init__("say --period, a month of the books, or --as-of, a day of decisions")


def balance(
    *,
    station: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    as_of: date | None = None,
    period: str | None = None,
    legal_entity: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show where every metered Wh went, by station and day, and the trial balance.

    metered = billed + free by rule + held + unattributed + dropped: what registers rose by, and
    dropped what of it was set aside with a flag. Exits 1 if anything is off.

    Args:
        station: Only this station (the trial balance is of all of them).
        first_day: From this day on, in the site's calendar.
        last_day: Up to and with this day.
        as_of: The trial balance as it was at the end of this day, in each legal entity's calendar.
        period: The trial balance of the books up to and with this month ("2026-03"): what stands
            in them, whenever it was decided. Not with --as-of.
        legal_entity: The trial balance of this one alone.
        folder: Where.
    """
    from ledger.asides.stored import count_asides
    from projections.balances.energy import energy_balance

    if period is not None and as_of is not None:
        raise TwoEndsError
    month = None if period is None else month_of(period)
    with opened(folder.settings()) as connection:
        energy = energy_balance(
            connection, station_id=station, first_day=first_day, last_day=last_day
        )
        money = _money(connection, month, as_of, legal_entity)
        set_aside = count_asides(connection)
    if folder.json:
        print_json({**_for_machines(energy, money), "lines_set_aside": set_aside})
    else:
        _print_energy(energy)
        _print_money(money)
        if set_aside:
            say(f"{set_aside} lines are set aside and in no balance: wattledger log set-aside")
    return 0 if energy.is_balanced and money.is_balanced else 1


def replay(
    *,
    check: Annotated[bool, Parameter(negative=())] = False,
    workers: int | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Read the log again from its start and compare every decision and document, byte for byte.

    Works in a schema of its own; nothing is changed. Exits 1 if anything differs.

    Args:
        check: Compare (the only thing that a replay does so far).
        workers: Among how many processes partitions are dealt out (default: one for each
            processor). What comes out does not hang on it.
        folder: Where.
    """
    from deploy.progress_bar import progress_bar
    from deploy.running.log_store import open_event_log
    from deploy.running.replay import replay_and_compare, replay_in_processes
    from ledger.database import dsn_of

    if not check:
        message = "say --check: comparing is all that a replay does"
        raise DeployError(message)
    if workers is None:
        workers = min(os.cpu_count() or 1, WORKERS_MAX)
    if not 1 <= workers <= WORKERS_MAX:
        message = f"--workers must be between 1 and {WORKERS_MAX}, not {workers}"
        raise DeployError(message)
    settings, began = folder.settings(), monotonic()
    with (
        opened_with_log(settings) as (connection, log),
        progress_bar("replaying", is_shown=not folder.json) as show,
    ):

        def progress(done: int, total: int, lines: int) -> None:
            show(done, total, f"{lines:,} lines, {lines / (monotonic() - began):,.0f} a second")

        dsn = dsn_of(connection)
        if workers == 1:
            report = replay_and_compare(dsn, log, progress=progress)
        else:
            open_log = partial(open_event_log, dsn, settings)
            report = replay_in_processes(dsn, open_log, workers=workers, progress=progress)
    if folder.json:
        print_json(report)
    else:
        _print_replay(report)
    return 0 if report.is_identical else 1


def _money(
    connection: Connection[Any], month: str | None, as_of: date | None, legal_entity: str | None
) -> TrialBalance:
    from ledger.declared.store import load_declarations
    from projections.balances.trial import trial_balance
    from projections.closing.month_balance import month_balance
    from projections.journal.days import book_days

    days = book_days(load_declarations(connection), up_to=as_of, legal_entity=legal_entity)
    if month is not None:
        return month_balance(connection, month, legal_entity=legal_entity)
    return trial_balance(connection, days)


def _for_machines(energy: EnergyBalance, money: TrialBalance) -> dict[str, object]:
    return {
        "energy": {
            "days": [_energy_row(day) for day in energy.days],
            "total": _energy_row(energy.total),
            "is_balanced": energy.is_balanced,
        },
        "trial_balance": {
            "accounts": money.accounts,
            "difference_minor": money.difference_minor,
            "is_balanced": money.is_balanced,
        },
    }


def _energy_row(day: EnergyDay) -> dict[str, object]:
    return {
        "station_id": day.station_id,
        "day": day.day,
        "metered_wh": day.metered_wh,
        "billed_wh": day.billed_wh,
        "free_wh": day.free_wh,
        "held_wh": day.held_wh,
        "unattributed_wh": day.unattributed_wh,
        "dropped_wh": day.dropped_wh,
        "difference_wh": day.difference_wh,
    }


def _print_energy(energy: EnergyBalance) -> None:
    rows = [tuple(_energy_row(day).values()) for day in energy.days]
    if rows:
        rows.append(("all", *tuple(_energy_row(energy.total).values())[1:]))
    print_rows("Energy by station and day", ENERGY_COLUMNS, rows)


def _print_money(money: TrialBalance) -> None:
    from projections.invoice_list import amount

    rows = [
        (
            each.account,
            amount(each.debit_minor, each.currency),
            amount(each.credit_minor, each.currency),
            amount(each.balance_minor, each.currency),
        )
        for each in money.accounts
    ]
    print_rows("Trial balance", ACCOUNT_COLUMNS, rows)
    for currency, difference in money.difference_minor.items():
        say(f"debits less credits: {amount(difference, currency)}")


def _print_replay(report: ReplayReport) -> None:
    rows = list(report.compared_by_kind.items())
    print_rows("Compared", {"what": "left", "count": "right"}, rows)
    for each in report.shown:
        kept, again = first_difference(each.kept, each.again)
        say(f"{each.what} {each.key}", f"  kept  {kept}", f"  again {again}")
    say(f"{report.lines} lines replayed, {report.compared} compared, {report.differences} differ")


def first_difference(kept: str | None, again: str | None) -> tuple[str, str]:
    """Return the surroundings of the first difference of two texts; None says it is missing."""
    if kept is None or again is None:
        return kept or "(missing)", again or "(missing)"
    pairs = enumerate(zip(kept, again, strict=False))
    shared = next((index for index, (one, other) in pairs if one != other), len(kept))
    start = max(0, shared - CONTEXT // 2)
    window = slice(start, start + CONTEXT)
    return f"...{kept[window]}...", f"...{again[window]}..."

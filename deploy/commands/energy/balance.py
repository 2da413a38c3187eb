"""`wattledger balance`: is every Wh and every cent accounted for?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter

from deploy.commands.closing.gathering import month_of
from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from projections.balances.energy import EnergyDay
    from projections.balances.trial import TrialBalance
    from projections.energy.kept_balance import KeptBalance
    from projections.energy.recount import Recount

ENERGY_COLUMNS: Final = {
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
ACCOUNT_COLUMNS: Final = {
    "account": "left", "debit": "right", "credit": "right", "balance": "right"
}  # fmt: skip
SHOWN_MAX: Final = 20
_WHICH: Final = Group("Trial balance", sort_key=1)


class TwoEndsError(DeployError):
    """A trial balance has one end."""

    def __init__(self) -> None:
        super().__init__("say --period, a month of the books, or --as-of, a day of decisions")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WhichBooks:
    """Which books the trial balance is of."""

    as_of: Annotated[date | None, Parameter(group=_WHICH)] = None
    """As it was at the end of this day, in each legal entity's calendar."""

    period: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Of the books up to and with this month ("2026-03"): what stands in them, whenever it was
    decided. Not with --as-of."""

    legal_entity: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Of this one alone."""


_ALL_BOOKS: Final = WhichBooks()


def balance(
    *,
    station: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    which: WhichBooks = _ALL_BOOKS,
    recount: Annotated[bool, Parameter(negative=())] = False,
    limit: Limit = 200,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show where every metered Wh went, by station and day, and the trial balance.

    metered = billed + free by rule + held + unattributed + dropped: what registers rose by, and
    dropped what of it was set aside with a flag. Both are kept up as decisions come. Exits 1 if
    anything is off.

    Args:
        station: Only this station (the trial balance is of all of them).
        first_day: From this day on, in the site's calendar.
        last_day: Up to and with this day.
        which: Which books.
        recount: Count all of it anew, from every fact and every posting, and compare.
        limit: List at most so many days, the newest; the total is of all.
        folder: Where.
    """
    from deploy.commands.energy.taking_in import take_in
    from ledger.asides.stored import count_asides
    from projections.energy.kept_balance import kept_balance

    if which.period is not None and which.as_of is not None:
        raise TwoEndsError
    month = None if which.period is None else month_of(which.period)
    with opened(folder.settings()) as connection:
        take_in(connection, station, is_shown=not folder.json)
        energy = kept_balance(
            connection, station_id=station, first_day=first_day, last_day=last_day, limit=limit
        )
        money = _money(connection, which, month)
        set_aside = count_asides(connection)
        found = _recount(connection, station, is_shown=not folder.json) if recount else None
    if folder.json:
        print_json({**_for_machines(energy, money, found), "lines_set_aside": set_aside})
    else:
        _print(energy, money, found, set_aside)
    is_right = energy.is_balanced and money.is_balanced and (found is None or found.agrees)
    return 0 if is_right else 1


def _money(connection: Connection[Any], which: WhichBooks, month: str | None) -> TrialBalance:
    from ledger.declared.store import load_declarations
    from projections.balances.booked_sums import kept_month_balance, kept_trial_balance
    from projections.journal.days import book_days

    if month is not None:
        return kept_month_balance(connection, month, legal_entity=which.legal_entity)
    declarations = load_declarations(connection)
    days = book_days(declarations, up_to=which.as_of, legal_entity=which.legal_entity)
    return kept_trial_balance(connection, days)


def _recount(connection: Connection[Any], station: str | None, *, is_shown: bool) -> Recount:
    from deploy.progress_bar import progress_bar
    from projections.energy.recount import recounted_books

    with progress_bar("counting anew", is_shown=is_shown) as show:
        return recounted_books(
            connection,
            station,
            progress=lambda done, total: show(done, total, f"{total - done:,} stations"),
        )


def _for_machines(
    energy: KeptBalance, money: TrialBalance, found: Recount | None
) -> dict[str, object]:
    shown: dict[str, object] = {
        "energy": {
            "days": [_energy_row(day) for day in energy.days],
            "days_left_out": energy.day_count - len(energy.days),
            "days_off": energy.days_off,
            "total": _energy_row(energy.total),
            "is_balanced": energy.is_balanced,
        },
        "trial_balance": {
            "accounts": money.accounts,
            "difference_minor": money.difference_minor,
            "is_balanced": money.is_balanced,
        },
    }
    if found is not None:
        shown["recount"] = _recount_row(found)
    return shown


def _recount_row(found: Recount) -> dict[str, object]:
    return {
        "agrees": found.agrees,
        "stations": found.stations,
        "stations_left_out": found.left_out,
        "days": [
            {
                "station_id": each.station_id,
                "day": each.day,
                "kept": each.kept and _energy_row(each.kept),
                "counted": each.counted and _energy_row(each.counted),
            }
            for each in found.days
        ],
        "accounts": [each._asdict() for each in found.accounts],
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


def _print(energy: KeptBalance, money: TrialBalance, found: Recount | None, set_aside: int) -> None:
    _print_energy(energy)
    _print_money(money)
    if set_aside:
        say(f"{set_aside} lines are set aside and in no balance: wattledger log set-aside")
    if found is not None:
        _print_recount(found)


def _print_energy(energy: KeptBalance) -> None:
    rows = [tuple(_energy_row(day).values()) for day in energy.days]
    if rows:
        rows.append(("all", *tuple(_energy_row(energy.total).values())[1:]))
    print_rows("Energy by station and day", ENERGY_COLUMNS, rows)
    if energy.day_count > len(energy.days):
        say(f"the newest {len(energy.days):,} of {energy.day_count:,} days; the total is of all")
    if energy.days_off:
        say(f"{energy.days_off:,} days do not add up")


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


def _print_recount(found: Recount) -> None:
    for each in found.days[:SHOWN_MAX]:
        say(
            f"station {each.station_id}, {each.day}: not kept as it is counted",
            f"  kept    {_said(each.kept)}",
            f"  counted {_said(each.counted)}",
        )
    for account in found.accounts[:SHOWN_MAX]:
        either = account.kept or account.counted
        assert either is not None
        say(
            f"account {either.account}, {account.span} of {account.begins:%Y-%m-%d %H:%M} UTC: "
            "not kept as it was posted"
        )
    if found.left_out:
        say(f"not compared, something came meanwhile: {_some(found.left_out)}")
    if found.agrees:
        say(f"counted anew: {found.stations} stations and every posting agree")
    else:
        say(
            f"{len(found.days)} days and {len(found.accounts)} sums of accounts are not kept as "
            "they are counted: a row was changed or taken away, or the count is wrong"
        )


def _said(day: EnergyDay | None) -> str:
    if day is None:
        return "(missing)"
    rows = list(_energy_row(day).items())[2:]
    return ", ".join(f"{name.removesuffix('_wh')} {value}" for name, value in rows)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN_MAX]) + (" ..." if len(names) > SHOWN_MAX else "")

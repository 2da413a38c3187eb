"""`wattledger leakage`: what was metered and not billed, why, and what it is worth."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from decimal import Decimal

    from projections.energy.kept_balance import KeptBalance
    from projections.energy.leakage import EnergyMatch, Leakage, UnbilledEnergy

MATCH_COLUMNS: Final = {
    "station": "left",
    "day": "left",
    "metered Wh": "right",
    "rated": "right",
    "billed": "right",
    "invoiced": "right",
    "on no invoice": "right",
    "to invoice": "right",
    "not billed": "right",
    "difference": "right",
}
REASON_COLUMNS: Final = {
    "why": "left", "what that is": "left", "Wh": "right", "at list price": "right"
}  # fmt: skip
ROW_COLUMNS: Final = {
    "station": "left",
    "day": "left",
    "why": "left",
    "session": "left",
    "because": "left",
    "Wh": "right",
    "at list price": "right",
}


def leakage(
    *,
    since: Annotated[date | None, Parameter(name="--from")] = None,
    until: Annotated[date | None, Parameter(name="--to")] = None,
    station: str | None = None,
    site: str | None = None,
    limit: Limit = 200,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show what was metered, rated and invoiced, and each Wh not billed: why, and its value.

    Valued at list price: what a kWh cost, before taxes, whom nobody knew, when its session began,
    or at noon where it is no session's. Exits 1 if a day does not add up.

    Args:
        since: First day, in the site's calendar (default: 31 days, up to the last one with energy).
        until: The day after the last.
        station: Only this station.
        site: Only the stations at this site.
        limit: List at most so many days, and so much that is not billed; totals are of all.
        folder: Where.
    """
    from deploy.commands.energy.taking_in import take_in
    from ledger.declared.store import load_declarations
    from projections.energy.kept_balance import kept_balance
    from projections.energy.leakage import days_asked, stations_at
    from projections.energy.leakage import leakage as found_leakage

    last = None if until is None or until == date.min else until - timedelta(days=1)
    with opened(folder.settings()) as connection:
        take_in(connection, station, is_shown=not folder.json)
        declarations = load_declarations(connection)
        stations = None if station is None else [station]
        if site is not None:
            there = stations_at(connection, declarations, site)
            stations = [each for each in there if stations is None or each in stations]
        first, last = days_asked(connection, since, last)
        energy = kept_balance(
            connection, stations=stations, first_day=first, last_day=last, limit=limit
        )
        found = found_leakage(
            connection, declarations, first=first, last=last, stations=stations, limit=limit
        )
    if folder.json:
        _print_for_machines(energy, found)
    else:
        _print(energy, found)
    return 0 if energy.is_balanced else 1


def _print_for_machines(energy: KeptBalance, found: Leakage) -> None:
    from projections.energy.leakage import match_of

    print_json(
        {
            "first_day": found.first,
            "last_day": found.last,
            "match": {
                "days": [match_of(day) for day in energy.days],
                "days_left_out": energy.day_count - len(energy.days),
                "days_off": energy.days_off,
                "total": match_of(energy.total),
            },
            "reasons": found.reasons,
            "not_billed": found.rows,
            "not_billed_left_out": found.rows_left_out,
        }
    )


def _print(energy: KeptBalance, found: Leakage) -> None:
    from projections.energy.leakage import match_of

    say(f"From {found.first} to {found.last}, both included.")
    rows = [_match_row(match_of(day)) for day in energy.days]
    if rows:
        rows.append(("all", None, *_match_row(match_of(energy.total))[2:]))
    print_rows("Metered, rated, invoiced", MATCH_COLUMNS, rows)
    left_out = energy.day_count - len(energy.days)
    if left_out:
        say(f"{left_out:,} earlier days are left out; the total is of all: --limit")
    print_rows(
        "Not billed",
        REASON_COLUMNS,
        [
            (each.reason.replace("_", " "), each.meaning, each.energy_wh, _values(each.values))
            for each in found.reasons
        ],
    )
    print_rows("What was not billed", ROW_COLUMNS, [_leak_row(each) for each in found.rows])
    if found.rows_left_out:
        say(f"{found.rows_left_out:,} more are left out; the totals are of all: --limit")
    if energy.days_off:
        say(f"{energy.days_off:,} days do not add up: wattledger balance --recount")


def _match_row(each: EnergyMatch) -> tuple[object, ...]:
    return (
        each.station_id,
        each.day,
        each.metered_wh,
        each.rated_wh,
        each.billed_wh,
        each.invoiced_wh,
        each.no_invoice_wh,
        each.to_invoice_wh,
        each.not_billed_wh,
        each.difference_wh,
    )


def _leak_row(each: UnbilledEnergy) -> tuple[object, ...]:
    from ledger.rating.english import ENGLISH

    if each.value is not None and each.currency is not None:
        value = _value(each.value, each.currency)
    else:
        value = "" if each.no_price is None else ENGLISH.words(each.no_price)
    return (
        each.station_id,
        each.day,
        each.reason.replace("_", " "),
        each.session_id,
        each.because,
        each.energy_wh,
        value,
    )


def _values(values: dict[str, Decimal]) -> str:
    return ", ".join(_value(value, currency) for currency, value in sorted(values.items()))


def _value(value: Decimal, currency: str) -> str:
    from projections.invoice_list import amount
    from tariffs.currencies import currency_exponent
    from tariffs.quantities import round_ratio

    numerator, denominator = value.scaleb(currency_exponent(currency)).as_integer_ratio()
    return amount(round_ratio(numerator, denominator), currency)

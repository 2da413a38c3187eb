"""The result of a back-test as tables of text: what the terminal, CSV and the page show."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tariffs.phrases.printable import csv_text
from tariffs.quantities import decimal_of_ratio, money_of_minor, round_ratio
from tariffs.simulate.simulation import (
    BilledChange,
    SessionChange,
    Sign,
    SimulationResult,
    extremes,
)

_MILLI_WH_PER_KWH: Final = 1_000_000
_HEADINGS: Final = {
    "sessions": "right",
    "kWh": "right",
    "old": "right",
    "new": "right",
    "change": "right",
    "%": "right",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """A table: headings with "left" or "right", and rows of text."""

    title: str
    columns: Mapping[str, str]
    rows: Sequence[tuple[str, ...]]


def amount_of(minor: int, currency: str, *, signed: bool = False) -> str:
    """Return *minor* units as "12.30", with a plus where *signed*."""
    return f"{money_of_minor(minor, currency).amount:{'+' if signed else ''},f}"


def percent_of(change: BilledChange) -> str:
    """Return by how many percent the new price is higher, to a tenth; "-" from nothing."""
    if not change.old_minor:
        return "-"
    tenths = round_ratio(change.difference_minor * 1000, abs(change.old_minor))
    return f"{Decimal(tenths).scaleb(-1):+.1f}"


def result_tables(result: SimulationResult, *, top: int = 10) -> list[ResultTable]:
    """Return all tables of *result*, at most *top* names in each list."""
    tables = [_changes("Total", "", [result.total], result)]
    kinds = {"customer": result.customers, "site": result.sites, "station": result.stations}
    for kind, changes in kinds.items():
        if kind == "station" and not changes:
            continue
        winners, losers = extremes(changes, top)
        tables.append(_changes(f"{kind.title()}s that become cheaper", kind, winners, result))
        tables.append(_changes(f"{kind.title()}s that become dearer", kind, losers, result))
    months = sorted(result.months.values(), key=lambda change: change.name)
    tables.append(_changes("By month (UTC)", "month", months, result))
    tables.append(_sessions("Sessions that become cheaper the most", result.winners, result))
    tables.append(_sessions("Sessions that become dearer the most", result.losers, result))
    signs = [result.signs[sign] for sign in Sign]
    tables.append(_changes("Sessions that change sign", "from", signs, result))
    return tables


def _changes(
    title: str, heading: str, changes: Iterable[BilledChange], result: SimulationResult
) -> ResultTable:
    rows = [
        (
            change.name or "(none)",
            f"{change.sessions:,}",
            f"{decimal_of_ratio(change.energy_milli_wh, _MILLI_WH_PER_KWH):,.1f}",
            amount_of(change.old_minor, result.currency),
            amount_of(change.new_minor, result.currency),
            amount_of(change.difference_minor, result.currency, signed=True),
            percent_of(change),
        )
        for change in changes
    ]
    named = f" ({result.currency}, taxes included)"
    return ResultTable(title=title + named, columns={heading: "left", **_HEADINGS}, rows=rows)


def _sessions(
    title: str, changes: Iterable[SessionChange], result: SimulationResult
) -> ResultTable:
    rows = [
        (
            change.id,
            change.started_at,
            change.customer,
            change.site,
            amount_of(change.old_minor, result.currency),
            amount_of(change.new_minor, result.currency),
            amount_of(change.difference_minor, result.currency, signed=True),
        )
        for change in changes
    ]
    columns = {
        **dict.fromkeys(("session", "started (UTC)", "customer", "site"), "left"),
        **dict.fromkeys(("old", "new", "change"), "right"),
    }
    return ResultTable(title=title, columns=columns, rows=rows)


def sentences(result: SimulationResult) -> list[str]:
    """Return what the tables do not say."""
    same = result.total.sessions - result.dearer - result.cheaper
    before_old, before_new = (amount_of(minor, result.currency) for minor in result.before_minor)
    lines = [
        f"{result.dearer:,} become dearer, {result.cheaper:,} cheaper, {same:,} cost the same.",
        f"Before taxes: {before_old} {result.currency} become {before_new} {result.currency}.",
    ]
    lines += result.notes
    if result.left_out:
        lines.append(f"{result.left_out:,} sessions are left out of both sides:")
        lines += [f"  {unread.spot}: {unread.why}" for unread in result.unread]
        if result.left_out > len(result.unread):
            lines.append(f"  and {result.left_out - len(result.unread):,} more")
    return lines


def result_csv(result: SimulationResult) -> str:
    """Return every change as CSV: a row for the total, each customer, site, month and sign.

    Amounts are exact, in units of the currency, taxes included.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("kind", "name", "sessions", "energy_kwh", "currency", "old", "new", "change"))
    for kind, change in _all_changes(result):
        writer.writerow(
            (
                kind,
                csv_text(change.name),
                change.sessions,
                f"{decimal_of_ratio(change.energy_milli_wh, _MILLI_WH_PER_KWH):f}",
                result.currency,
                *(
                    f"{money_of_minor(minor, result.currency).amount:f}"
                    for minor in (change.old_minor, change.new_minor, change.difference_minor)
                ),
            )
        )
    return out.getvalue()


def _all_changes(result: SimulationResult) -> Iterator[tuple[str, BilledChange]]:
    yield "total", result.total
    for kind, changes in (
        ("customer", result.customers),
        ("site", result.sites),
        ("station", result.stations),
        ("month", result.months),
    ):
        for name in sorted(changes):
            yield kind, changes[name]
    for sign in Sign:
        yield "sign", result.signs[sign]
    for session in (*result.winners, *result.losers):
        yield (
            "session",
            BilledChange(session.id, 1, 0, session.old_minor, session.new_minor),
        )

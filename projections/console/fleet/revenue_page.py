"""Revenue of today and of the days before: a picture, and the table of what stands in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from ledger.users.roles import Permission
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.stations.now import DayRevenue
from tariffs.quantities import money_of_minor

_COLUMNS: Final[Sequence[Column]] = (
    Column("day", "Day"),
    Column("entity", "Legal entity"),
    Column("account", "Account"),
    Column("net", "Net", is_figure=True),
)
_HIGH: Final = 120
_FOOT: Final = 18
_BAR: Final = 40


class DayBar(NamedTuple):
    """A day's bar: from the left, from the top, how high; `words` say what it is."""

    left: int
    top: int
    height: int
    label: str
    words: str


class RevenueChart(NamedTuple):
    """The days of one currency."""

    currency: str
    bars: Sequence[DayBar]
    width: int
    height: int = _HIGH + _FOOT
    thick: int = _BAR - 8


def revenue_sums(page: ConsolePage, booked: Sequence[DayRevenue]) -> Sequence[str]:
    """Return what *booked* comes to, a text a currency; nothing where no legal entity is seen."""
    sums: Counter[str] = Counter()
    for each in booked:
        for currency, minor in each.sums().items():
            sums[currency] += minor
    return [page.words.language.money(minor, currency) for currency, minor in sorted(sums.items())]


def revenue_view(page: ConsolePage, booked: Sequence[DayRevenue]) -> dict[str, Any]:
    """Return what the page of revenue shows of some days, the newest first."""
    rows = [
        (
            Cell(page.words.language.day(each.day)),
            Cell(each.legal_entity),
            Cell(account),
            Cell(
                page.words.language.money(minor, currency),
                _entries(page, each),
                exact=money_of_minor(minor, currency).amount,
                unit=currency,
            ),
        )
        for each in sorted(booked, key=lambda each: each.day, reverse=True)
        for (currency, account), minor in sorted(each.by_account.items())
    ]
    return {
        "charts": _charts(page, booked),
        "listing": Listing(
            page.text("Revenue by day and account"),
            _COLUMNS,
            rows,
            page.address,
            page.text(
                "Nothing was booked in these days, or no whole legal entity is yours to see."
            ),
            total=" + ".join(revenue_sums(page, booked)),
            file="revenue",
        ),
    }


def _entries(page: ConsolePage, booked: DayRevenue) -> str:
    """Return where the entries of that day are, for who may see the books."""
    if not page.user.may(Permission.SEE_BOOKS, booked.legal_entity):
        return ""
    day = booked.day.isoformat()
    asked = {"legal_entity": booked.legal_entity, "from": day, "to": day}
    return f"/console/journal?{urlencode(asked)}"


def _charts(page: ConsolePage, booked: Sequence[DayRevenue]) -> Sequence[RevenueChart]:
    by_currency: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for each in booked:
        for currency, minor in each.sums().items():
            by_currency[currency][each.day] += minor
    days = sorted({each.day for each in booked})
    return [
        RevenueChart(currency, _bars(page, currency, sums, days), len(days) * _BAR)
        for currency, sums in sorted(by_currency.items())
    ]


def _bars(
    page: ConsolePage, currency: str, sums: Counter[date], days: Sequence[date]
) -> Sequence[DayBar]:
    most = max(1, *(sums[day] for day in days))
    bars = []
    for place, day in enumerate(days):
        # A day on which more was given back than earned has no bar; the table has its number.
        height = max(0, sums[day]) * _HIGH // most
        words = f"{page.words.language.day(day)}: {page.words.language.money(sums[day], currency)}"
        bars.append(DayBar(place * _BAR + 4, _HIGH - height, height, f"{day.day}.", words))
    return bars

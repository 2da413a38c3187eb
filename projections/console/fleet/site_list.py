"""The sites of the fleet: a table whose numbers lead to their lists, and a picture of the load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from operator import attrgetter
from typing import Final, NamedTuple
from urllib.parse import urlencode

from projections.console.fleet.running_list import kilo
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.stations.now import SiteNow

SITES_SHOWN: Final = 50
"""So many sites stand on the page, those with the highest load; the lists have all."""
_WIDE: Final = 600
_BAR: Final = 22
_TEXT: Final = 180
_COLUMNS: Final[Sequence[Column]] = (
    Column("site", "Site"),
    Column("stations", "Stations", is_figure=True),
    Column("connected", "Connected", is_figure=True),
    Column("faulted", "Faulted", is_figure=True),
    Column("running", "Running sessions", is_figure=True),
    Column("load", "Load", is_figure=True),
)
Names = Mapping[str, tuple[str, tzinfo]]


class LoadBar(NamedTuple):
    """A bar of the picture, in its units; `words` stand beside it."""

    name: str
    words: str
    top: int
    width: int


class LoadChart(NamedTuple):
    """Bars from the top, and how high that makes the picture."""

    bars: Sequence[LoadBar]
    height: int
    width: int = _WIDE
    left: int = _TEXT


def site_list(page: ConsolePage, sites: Mapping[str, SiteNow], names: Names) -> Listing:
    """Return the sites with the highest load."""
    shown = _shown(sites)
    return Listing(
        caption=page.text("Sites"),
        columns=_COLUMNS,
        rows=[_row(page, key, each, names) for key, each in shown],
        address=page.address,
        empty=page.text("No site is declared yet, or none is within your roles: wattledger apply."),
        total=page.text("{shown} of {count} shown", shown=len(shown), count=len(sites)),
    )


def load_chart(page: ConsolePage, sites: Mapping[str, SiteNow], names: Names) -> LoadChart | None:
    """Return the load of the sites as bars; None where nothing flows."""
    drawn = [(key, each) for key, each in _shown(sites) if each.power_w > 0]
    if not drawn:
        return None
    most = drawn[0][1].power_w
    bars = [
        LoadBar(
            name=_name(key, names)[:24],
            words=kilo(page, each.power_w.quantize(Decimal(100)), "kW"),
            top=place * _BAR,
            width=max(1, int(each.power_w * (_WIDE - _TEXT - 90) / most)),
        )
        for place, (key, each) in enumerate(drawn)
    ]
    return LoadChart(bars, len(bars) * _BAR)


def _shown(sites: Mapping[str, SiteNow]) -> Sequence[tuple[str, SiteNow]]:
    by_load = sorted(sites.items(), key=lambda item: attrgetter("power_w")(item[1]), reverse=True)
    return by_load[:SITES_SHOWN]


def _name(key: str, names: Names) -> str:
    return names[key][0] if key in names else key


def _row(page: ConsolePage, key: str, site: SiteNow, names: Names) -> Sequence[Cell]:
    def stations(**state: str) -> str:
        return f"/console/fleet/stations?{urlencode({'site': key, **state})}"

    number = page.words.language.number
    running = f"/console/fleet/sessions?{urlencode({'site': key})}"
    return (
        Cell(_name(key, names), stations()),
        Cell(number(Decimal(site.stations)), stations()),
        Cell(number(Decimal(site.connected)), stations(state="connected")),
        Cell(
            number(Decimal(site.faulted)),
            stations(state="faulted"),
            tone="bad" if site.faulted else "",
        ),
        Cell(number(Decimal(site.running)), running),
        Cell(kilo(page, site.power_w.quantize(Decimal(100)), "kW"), running),
    )

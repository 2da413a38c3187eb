"""`wattledger tariff calendar`: a week of prices in the terminal, as a page, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Group, Parameter

from deploy.commands.data_folder import PLAIN
from deploy.commands.tariffs.reading import compiled_tariff, monday_of
from deploy.errors import DeployError
from deploy.output import print_json, say, say_styled
from tariffs.adjustments.phrases import adjustment_phrase
from tariffs.calendar.circumstances import footnotes
from tariffs.calendar.html import calendar_html
from tariffs.calendar.text import calendar_text
from tariffs.calendar.week import Circumstances, Fee, WeekCalendar, week_calendar
from tariffs.calendar.words import note_text
from tariffs.files.elements import seconds_of
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.restrictions import SECOND_US

# Terminal colours of free and the six shades, as in the HTML page.
STYLES: Final = (
    "dim",
    "#e0f1ec on #10231f",
    "#b9dfd8 on #10231f",
    "#86c6c4 on #10231f",
    "#58a8b8 on #10231f",
    "#6bb3dd on #10231f",
    "#9fc4ff on #1d3f6e",
)
_STATE: Final = Group("How far the session is", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PointInSession:
    """At which point of a session the prices are shown."""

    after: Annotated[str, Parameter(group=_STATE)] = "0 min"
    """How long the session lasts already: 90 min, 4 h."""

    kwh: Annotated[Decimal, PLAIN, Parameter(group=_STATE)] = Decimal(0)
    """How much it has charged already."""

    power: Annotated[Decimal | None, PLAIN, Parameter(group=_STATE)] = None
    """Power in kW (default: not measured)."""

    current: Annotated[Decimal | None, PLAIN, Parameter(group=_STATE)] = None
    """Current in A, the sum over phases (default: not measured)."""

    @property
    def circumstances(self) -> Circumstances:
        """Return the point as the calendar takes it.

        Raises:
            DeployError: If the duration cannot be read.
        """
        try:
            duration_s = seconds_of(self.after)
        except ValueError as error:
            raise DeployError(str(error)) from None
        return Circumstances(
            energy_kwh=self.kwh,
            duration_s=duration_s,
            power_kw=self.power,
            current_a=self.current,
        )


_START: Final = PointInSession()


def calendar(
    file: Path,
    *,
    time_zone: str = "UTC",
    week: date | None = None,
    html: Path | None = None,
    day: date | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    point: PointInSession = _START,
) -> int:
    """Show the price that holds at each hour of a week, as the kernel would bill it.

    Args:
        file: Tariff file (YAML, or OCPI as .json).
        time_zone: Time zone of the site.
        week: A day of the week to show (default: this week).
        html: Write a page with tables and a plot here instead.
        day: The day to plot on the page (default: the one with the most changes).
        as_json: Print JSON for machines instead of text.
        point: At which point of a session.
    """
    compiled = compiled_tariff(file)
    shown = week_calendar(
        compiled,
        time_zone=time_zone,
        first_day=monday_of(week or day),
        circumstances=point.circumstances,
    )
    if day is not None and day not in shown.days:
        message = f"{day.isoformat()} is not in the week of {shown.first_day.isoformat()}"
        raise DeployError(message)
    if html is not None:
        _write(html, calendar_html(compiled, shown, plot_day=day))
        say(f"{html} shows the week of {shown.first_day.isoformat()}.")
    elif as_json:
        print_json(_content(compiled, shown))
    else:
        for line in calendar_text(compiled, shown):
            say_styled((s.text, "" if s.shade is None else STYLES[s.shade]) for s in line)
    return 0


def _content(compiled: CompiledTariff, shown: WeekCalendar) -> dict[str, object]:
    return {
        "tariff": shown.tariff.id,
        "currency": shown.tariff.currency,
        "time_zone": shown.time_zone,
        "first_day": shown.first_day,
        "at": shown.circumstances,
        "fees": {fee.name.lower(): list(_stretches(shown, fee)) for fee in shown.fees},
        "grace_s": compiled.grace_us // SECOND_US,
        "adjustments": [
            msgspec.to_builtins(adjustment_phrase(each, shown.tariff.currency))
            for each in compiled.line_adjustments
        ],
        "notes": [note_text(each) for each in footnotes(compiled, shown)],
    }


def _stretches(shown: WeekCalendar, fee: Fee) -> Iterator[dict[str, object]]:
    for stretch in shown.stretches[fee]:
        price = None if stretch.price is None else msgspec.structs.asdict(stretch.price)
        yield {
            "starts_at": stretch.starts_at,
            "ends_at": stretch.ends_at,
            "valid": stretch.valid,
            "price": price,
        }


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise DeployError(message) from error

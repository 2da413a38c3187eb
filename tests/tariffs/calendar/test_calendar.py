"""The calendar shows what the kernel bills, at every instant of a week."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest

from tariffs.adjustments.adjustment import FeeCap, FreeFirst, IdleGrace
from tariffs.calendar.circumstances import footnotes
from tariffs.calendar.html import PALETTE, calendar_html
from tariffs.calendar.plot import busiest_day, day_plot
from tariffs.calendar.scale import scale_of_prices
from tariffs.calendar.text import calendar_text
from tariffs.calendar.week import Circumstances, Fee, WeekCalendar, week_calendar
from tariffs.calendar.words import local_pieces, note_text
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import SessionUsage, UsagePoint
from tests.tariffs.plain_text import plain_text

BERLIN = "Europe/Berlin"
ORDINARY_MONDAY = date(2026, 3, 2)
SPRING_MONDAY = date(2026, 3, 23)
AUTUMN_MONDAY = date(2026, 10, 19)


def element(
    dimension: Dimension, price: str, *, name: str | None = None, **restrictions: object
) -> TariffElement:
    return TariffElement(
        name=name,
        price_components=(PriceComponent(dimension=dimension, price=Decimal(price)),),
        restrictions=Restrictions(**restrictions),  # type: ignore[arg-type]  # keywords of a table
    )


PEAK = element(
    Dimension.ENERGY,
    "0.55",
    name="peak",
    start_time=time(7),
    end_time=time(20),
    day_of_week=WEEKDAYS[:5],
)
OFF_PEAK = element(Dimension.ENERGY, "0.39", name="off-peak")
IDLE = element(
    Dimension.PARKING_TIME,
    "6",
    name="idle",
    min_duration=14400,
    start_time=time(8),
    end_time=time(),
)
START = element(Dimension.FLAT, "1")


def tariff_of(*elements: TariffElement, name: str | None = None) -> Tariff:
    return Tariff(id="t", currency="EUR", elements=elements, name=name)


def week_of(
    *elements: TariffElement, first_day: date = ORDINARY_MONDAY, time_zone: str = BERLIN
) -> WeekCalendar:
    return week_calendar(
        CompiledTariff(tariff_of(*elements)), time_zone=time_zone, first_day=first_day
    )


def price_at(calendar: WeekCalendar, fee: Fee, day: date, start: time) -> list[str | None]:
    return [
        None if stretch.price is None else str(stretch.price.price)
        for stretch in calendar.cell(fee, day, start, 60)
    ]


@pytest.mark.parametrize("first_day", [ORDINARY_MONDAY, SPRING_MONDAY, AUTUMN_MONDAY])
@pytest.mark.parametrize("time_zone", [BERLIN, "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_every_quarter_shows_the_price_that_the_kernel_bills(
    first_day: date, time_zone: str
) -> None:
    compiled = CompiledTariff(
        tariff_of(
            element(Dimension.ENERGY, "0.61", start_time=time(22), end_time=time(2, 30)),
            PEAK,
            OFF_PEAK,
        )
    )
    calendar = week_calendar(compiled, time_zone=time_zone, first_day=first_day)

    for slot in calendar.slots:
        for instant in slot.instants:
            shown = calendar.held(Fee.ENERGY, instant).price
            ends_at = instant + timedelta(minutes=1)
            usage = SessionUsage(
                starts_at=instant,
                ends_at=ends_at,
                time_zone=time_zone,
                points=(UsagePoint(instant, Decimal(0)), UsagePoint(ends_at, Decimal(1000))),
            )
            billed = price_session(usage, compiled).total_before_taxes.amount
            assert shown is not None
            assert billed == shown.price


def test_a_window_over_midnight_and_the_end_of_day_are_cut_where_they_lie() -> None:
    calendar = week_of(
        element(Dimension.ENERGY, "0.61", start_time=time(22), end_time=time(6)), OFF_PEAK
    )

    assert price_at(calendar, Fee.ENERGY, ORDINARY_MONDAY, time(5)) == ["0.61"]
    assert price_at(calendar, Fee.ENERGY, ORDINARY_MONDAY, time(6)) == ["0.39"]
    assert price_at(calendar, Fee.ENERGY, ORDINARY_MONDAY, time(23)) == ["0.61"]


def test_spring_leaves_an_hour_out_and_autumn_has_one_twice() -> None:
    window = element(Dimension.ENERGY, "0.70", start_time=time(2), end_time=time(3))
    spring = week_of(window, OFF_PEAK, first_day=SPRING_MONDAY)
    autumn = week_of(window, OFF_PEAK, first_day=AUTUMN_MONDAY)

    assert price_at(spring, Fee.ENERGY, date(2026, 3, 29), time(2)) == []
    assert price_at(autumn, Fee.ENERGY, date(2026, 10, 25), time(2)) == ["0.70"]
    repeated = [s for s in autumn.slots if s.day == date(2026, 10, 25) and len(s.instants) == 2]
    assert [slot.starts_at for slot in repeated] == [time(2, m) for m in (0, 15, 30, 45)]


@pytest.mark.parametrize(
    ("first", "last", "pieces"),
    [
        pytest.param("2026-10-25T00:00", "2026-10-25T01:00", [(2, 3)], id="the first of the two"),
        pytest.param("2026-10-25T00:00", "2026-10-25T02:00", [(2, 3), (2, 3)], id="both"),
        pytest.param("2026-10-25T01:00", "2026-10-25T02:00", [(2, 3)], id="the second"),
        pytest.param("2026-03-29T00:00", "2026-03-29T02:00", [(1, 2), (3, 4)], id="none in spring"),
        pytest.param("2026-03-28T22:00", "2026-03-29T00:00", [(23, 0), (0, 1)], id="over midnight"),
    ],
)
def test_a_stretch_is_told_by_the_wall_clock(
    first: str, last: str, pieces: list[tuple[int, int]]
) -> None:
    stretch = (datetime.fromisoformat(f"{first}+00:00"), datetime.fromisoformat(f"{last}+00:00"))

    found = local_pieces(*stretch, BERLIN)

    assert [(start.hour, end.hour) for _, start, end in found] == pieces


def test_a_price_that_changes_within_the_hour_is_shown_twice_and_makes_quarters() -> None:
    calendar = week_of(
        element(Dimension.ENERGY, "0.50", start_time=time(7, 30), end_time=time(9)), OFF_PEAK
    )

    assert calendar.slot_minutes(Fee.ENERGY) == 15
    assert price_at(calendar, Fee.ENERGY, ORDINARY_MONDAY, time(7)) == ["0.39", "0.50"]


def test_outside_its_validity_a_tariff_has_no_price() -> None:
    tariff = Tariff(
        id="t",
        currency="EUR",
        elements=(OFF_PEAK,),
        start_date_time=datetime(2026, 3, 3, 11, tzinfo=UTC),
        end_date_time=datetime(2026, 3, 4, 11, tzinfo=UTC),
    )
    calendar = week_calendar(CompiledTariff(tariff), time_zone=BERLIN, first_day=ORDINARY_MONDAY)

    valid = [(s.valid, s.price is not None) for s in calendar.stretches[Fee.ENERGY]]
    assert valid == [(False, False), (True, True), (False, False)]
    assert "not valid" in calendar_html(CompiledTariff(tariff), calendar)


def test_a_reservation_has_prices_of_its_own() -> None:
    calendar = week_of(
        element(Dimension.TIME, "3", reservation=ReservationRestriction.RESERVATION),
        element(Dimension.FLAT, "2", reservation=ReservationRestriction.RESERVATION),
        OFF_PEAK,
    )

    assert calendar.fees == (Fee.ENERGY, Fee.RESERVATION_TIME, Fee.RESERVATION_FLAT)
    constant = calendar.constant(Fee.RESERVATION_TIME)
    assert constant is not None
    assert constant.price is not None
    assert constant.price.price == 3


def test_what_holds_later_in_a_session_is_a_footnote() -> None:
    compiled = CompiledTariff(
        tariff_of(
            element(Dimension.ENERGY, "0.30", min_kwh=Decimal(50)),
            element(Dimension.TIME, "2", max_power=Decimal(11)),
            element(Dimension.TIME, "4"),
            OFF_PEAK,
            IDLE,
        )
    )
    base = week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)

    assert tuple(map(note_text, footnotes(compiled, base))) == (
        "From 50 kWh on: Energy 0.30 EUR/kWh at all times, by element 1.",
        "From 4 h on: Parking time 6.00 EUR/h every day 08:00-24:00, by element 5 (idle).",
        "From 11 kW on: Charging time 4.00 EUR/h at all times, by element 3.",
    )


def test_a_grace_period_is_a_footnote_where_parking_costs() -> None:
    graceful = msgspec.structs.replace(
        tariff_of(OFF_PEAK, IDLE), adjustments=(IdleGrace(seconds=900),)
    )
    compiled = CompiledTariff(graceful)
    base = week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)

    assert note_text(footnotes(compiled, base)[-1]) == (
        "The first 15 min of every stretch of parking cost nothing."
    )


def test_the_price_further_into_a_session_can_be_asked_for() -> None:
    compiled = CompiledTariff(tariff_of(OFF_PEAK, IDLE))
    later = week_calendar(
        compiled,
        time_zone=BERLIN,
        first_day=ORDINARY_MONDAY,
        circumstances=Circumstances(duration_s=14400),
    )

    assert price_at(later, Fee.PARKING_TIME, ORDINARY_MONDAY, time(8)) == ["6"]
    assert price_at(later, Fee.PARKING_TIME, ORDINARY_MONDAY, time(7)) == [None]


def test_the_terminal_shows_a_line_a_day_and_a_legend() -> None:
    compiled = CompiledTariff(tariff_of(PEAK, OFF_PEAK, START, name="Time of use"))
    base = week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)

    lines = plain_text(calendar_text(compiled, base)).splitlines()

    assert lines[0] == "Time of use (t), week of 2026-03-02, Europe/Berlin"
    assert lines[3] == "Energy, EUR/kWh"
    assert lines[5] == "Mon 02.03. " + "▁" * 14 + "█" * 26 + "▁" * 8
    assert lines[10] == "Sat 07.03. " + "▁" * 48
    assert lines[12].split() == ["▁", "0.39", "█", "0.55"]
    assert lines[14] == "Session fee: 1.00 EUR at all times"


def test_the_page_is_a_table_with_headers_and_needs_no_script_and_no_network() -> None:
    compiled = CompiledTariff(tariff_of(PEAK, OFF_PEAK, IDLE, name="<Peak & calm>"))
    base = week_calendar(compiled, time_zone=BERLIN, first_day=SPRING_MONDAY)

    page = calendar_html(compiled, base)

    assert "&lt;Peak &amp; calm&gt;" in page
    assert "<script" not in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg")
    assert page.count('scope="row"') == 2 * 24
    assert page.count('scope="col"') == 2 * 8
    assert page.count("<caption") == 2
    assert page.count("no such hour") == 2
    assert "Parking time, from 4 h on" in page


def test_a_day_is_plotted_as_steps_that_are_also_described_in_words() -> None:
    calendar = week_of(PEAK, OFF_PEAK)

    svg = ET.fromstring(day_plot(calendar, Fee.ENERGY, ORDINARY_MONDAY))

    space = "{http://www.w3.org/2000/svg}"
    assert svg.findtext(f"{space}title") == "Energy on Monday, 2026-03-02"
    assert svg.findtext(f"{space}desc") == (
        "00:00 to 07:00: 0.39 EUR/kWh; 07:00 to 20:00: 0.55 EUR/kWh; 20:00 to 24:00: 0.39 EUR/kWh."
    )
    assert len(svg.findall(f"{space}rect")) == 3
    assert all(Decimal(rect.attrib["y"]) >= 20 for rect in svg.findall(f"{space}rect"))


def test_the_plotted_day_is_the_first_of_the_busiest() -> None:
    saturday = element(
        Dimension.ENERGY, "1", start_time=time(9), end_time=time(10), day_of_week=WEEKDAYS[5:]
    )

    assert busiest_day(week_of(saturday, OFF_PEAK)) == date(2026, 3, 7)


def test_no_name_is_obeyed_on_the_page() -> None:
    hostile = msgspec.structs.replace(OFF_PEAK, name="off\u202e<b>\x1b[2J")
    compiled = CompiledTariff(
        Tariff(id="t", name="Day\x9b\u2066", currency="EUR", elements=(hostile,))
    )

    page = calendar_html(
        compiled, week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)
    )

    assert r"off\u202e&lt;b&gt;\x1b[2J" in page
    assert r"Day\x9b\u2066" in page
    assert not [each for each in page.replace("\n", "") if not each.isprintable()]


def test_many_prices_share_six_levels_in_order() -> None:
    scale = scale_of_prices(Decimal(cents) / 100 for cents in range(20, 33))

    levels = [scale.level(Decimal(cents) / 100) for cents in range(20, 33)]
    assert levels == sorted(levels)
    assert set(levels) == {1, 2, 3, 4, 5, 6}
    assert scale.level(Decimal(0)) == scale.level(None) == 0


@pytest.mark.parametrize(("back", "ink"), PALETTE)
def test_each_colour_of_the_scale_can_be_read(back: str, ink: str) -> None:
    lighter, darker = sorted((_luminance(back), _luminance(ink)), reverse=True)

    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_what_comes_after_the_elements_stands_under_the_calendar_in_text_and_on_the_page() -> None:
    compiled = CompiledTariff(
        Tariff(
            id="t",
            currency="EUR",
            elements=(OFF_PEAK, element(Dimension.PARKING_TIME, "6")),
            max_price=PriceLimit(before_taxes=Decimal(30)),
            adjustments=(
                IdleGrace(seconds=900),
                FreeFirst(dimensions=("PARKING_TIME",), seconds=1800),
                FeeCap(amount=Decimal(12), dimensions=("PARKING_TIME",)),
            ),
        )
    )
    base = week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)
    said = tuple(map(note_text, footnotes(compiled, base)))

    assert said == (
        "The first 15 min of every stretch of parking cost nothing.",
        "The first 30 min of parking time are free.",
        "Parking time costs at most 12.00 EUR a session.",
        "A session costs at most 30.00 EUR before taxes.",
    )
    text = "\n".join("".join(part.text for part in line) for line in calendar_text(compiled, base))
    page = calendar_html(compiled, base)
    assert all(sentence in text and sentence in page for sentence in said)


def test_a_price_that_follows_a_series_says_that_more_comes_on_top() -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    series = PriceSeries(name="spot", minutes=60, prices=((moment, Decimal("0.10")),))
    follows = element(Dimension.ENERGY, "0.08")
    [component] = follows.price_components
    component = msgspec.structs.replace(component, series=True)
    dynamic = msgspec.structs.replace(follows, price_components=(component,))
    more = "its price comes on top of what"
    said = {}
    for each in (follows, dynamic):
        tariff = Tariff(id="t", currency="EUR", elements=(each,), price_series=series)
        compiled = CompiledTariff(tariff)
        base = week_calendar(compiled, time_zone=BERLIN, first_day=ORDINARY_MONDAY)
        said[each] = tuple(map(note_text, footnotes(compiled, base)))

    assert said == {
        follows: (),
        dynamic: (f"Where energy follows the price series 'spot', {more} is shown here.",),
    }

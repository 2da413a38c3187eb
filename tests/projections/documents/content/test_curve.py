"""The load curve: steps that hold the energy, in the picture's bounds, and words that are safe."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from projections.documents.content.curve import CurveWords, PriceWindow, curve_svg, power_max_w
from projections.documents.evidence import ShownReading
from tests.depot import NOON

WORDS = CurveWords(power_max="11 kW", start="12:00", end="13:00", title="Load <curve>")
SVG = "{http://www.w3.org/2000/svg}"


def readings(*energies: int) -> list[ShownReading]:
    return [
        ShownReading(NOON + timedelta(minutes=15 * number), Decimal(each), None, "0/0/0")
        for number, each in enumerate(energies)
    ]


def steps(svg: str) -> list[tuple[str, Decimal]]:
    """Return the step line's moves: up and down (V), and on (H)."""
    [path] = re.findall(r'd="(M[^"]*V[^"]*)"', svg)
    return [(kind, Decimal(value)) for kind, value in re.findall(r"([VH])([\d.]+)", path)]


def test_each_step_is_the_mean_power_between_two_readings() -> None:
    svg = curve_svg(readings(0, 1000, 1500, 1500), [], WORDS)

    heights = [value for kind, value in steps(svg) if kind == "V"]
    base, full = heights[-1], heights[0]
    assert power_max_w(readings(0, 1000, 1500, 1500)) == 4000
    assert heights == [full, full + (base - full) / 2, base, base]


def test_windows_of_price_are_shaded_and_labelled() -> None:
    half = NOON + timedelta(minutes=30)
    windows = [
        PriceWindow(NOON, half, "0,59 €"),
        PriceWindow(half, NOON + timedelta(minutes=60), "0,39 €"),
    ]

    root = ET.fromstring(curve_svg(readings(0, 9, 9, 9, 20), windows, WORDS))

    shaded = root.findall(f"{SVG}rect")
    assert len({each.get("fill") for each in shaded}) == 2
    assert [each.get("width") for each in shaded] == ["141.00", "141.00"]
    assert {"0,59 €", "0,39 €"} <= {each.text for each in root.findall(f"{SVG}text")}


def test_a_window_too_narrow_for_its_label_has_none() -> None:
    window = PriceWindow(NOON, NOON + timedelta(seconds=10), "0,59 €/kWh + 6,00 €/h")

    svg = curve_svg(readings(0, 9, 20), [window], WORDS)

    assert "<rect" in svg
    assert "0,59" not in svg


def test_words_of_strangers_are_text() -> None:
    window = PriceWindow(NOON, NOON + timedelta(hours=1), "</text><script>\u202e")

    root = ET.fromstring(curve_svg(readings(0, 9, 20, 30, 40), [window], WORDS))

    assert root.findall(f".//{SVG}script") == []
    assert r"</text><script>\u202e" in {each.text for each in root.findall(f"{SVG}text")}


def test_nothing_drawn_or_no_time_is_no_curve() -> None:
    assert curve_svg([], [], WORDS) == ""
    assert curve_svg(readings(0), [], WORDS) == ""
    assert curve_svg(readings(0, 0, 0), [], WORDS) == ""
    at_once = [ShownReading(NOON, Decimal(each), None, "") for each in (0, 900)]
    assert curve_svg(at_once, [], WORDS) == ""


@given(st.lists(st.integers(-5000, 10**9), min_size=2, max_size=60))
def test_whatever_the_readings_say_the_line_stays_in_the_picture(rises: list[int]) -> None:
    energies = [sum(rises[:number]) for number in range(len(rises))]

    svg = curve_svg(readings(*energies), [], WORDS)

    if svg:
        ET.fromstring(svg)
        assert all(0 <= value <= (96 if kind == "V" else 330) for kind, value in steps(svg))

"""What pages draw and link: exact where it stands, and safe whatever a station calls things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from projections.console.links import session_link
from projections.console.parts.curve import CurvePoint, CurveWindow, curve_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_curve_is_the_mean_power_between_readings() -> None:
    points = [
        CurvePoint(NOON, Decimal(0)),
        CurvePoint(NOON + HOUR, Decimal(10_000)),
        CurvePoint(NOON + 2 * HOUR, Decimal(15_000)),
    ]
    windows = [
        CurveWindow(NOON, NOON + HOUR, "day"),
        CurveWindow(NOON + HOUR, NOON + 2 * HOUR, "a name that has no room in its window" * 3),
    ]

    curve = curve_of(points, windows)

    assert curve is not None
    assert curve.power_max_w == 10_000
    middle = (curve.left + curve.right) // 2
    half = (curve.top + curve.base) // 2
    assert curve.path == (
        f"M{curve.left} {curve.base}V{curve.top}H{middle}V{half}H{curve.right}V{curve.base}"
    )
    assert [(each.x, each.label) for each in curve.windows] == [(curve.left, "day"), (middle, "")]


@pytest.mark.parametrize(
    "energies", [[], [0], [0, 0], [5, 5, 5]], ids=["none", "one", "still", "flat"]
)
def test_without_power_there_is_no_curve(energies: list[int]) -> None:
    points = [CurvePoint(NOON + n * HOUR, Decimal(wh)) for n, wh in enumerate(energies)]

    assert curve_of(points) is None


@pytest.mark.parametrize(
    "session_id",
    [
        "CS-1/100334/20260331T003703Z",
        "CS-1/a b?c#d%2F&é/20260331T003703Z",
        "CS-1/../20260331T003703Z",
        "CS-1/x/./20260331T003703Z",
        "CS-1//20260331T003703Z",
        "CS-1/x/",
        "/CS-1/x",
        "..",
    ],
)
def test_a_session_is_found_by_its_link_whatever_its_station_calls_it(session_id: str) -> None:
    link = urlsplit(session_link(session_id))
    named = parse_qs(link.query).get("id", [unquote(link.path).removeprefix("/console/sessions/")])

    assert named == [session_id]
    assert not any(part in {"", ".", ".."} for part in link.path.split("/")[1:])

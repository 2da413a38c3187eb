"""What people read: times are UTC whatever zone they came in."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from deploy.output import print_json, print_rows, shown


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(
            datetime.fromisoformat("2026-12-01T00:00:00+01:00"),
            "2026-11-30 23:00:00Z",
            id="an offset is converted, not dropped",
        ),
        pytest.param(
            datetime.fromisoformat("2026-12-01T00:00:00+00:00"), "2026-12-01 00:00:00Z", id="UTC"
        ),
        pytest.param(Decimal("12.50"), "12.5", id="a number without idle zeros"),
        pytest.param(None, "-", id="nothing"),
        pytest.param(("a", None), "a, -", id="a list"),
    ],
)
def test_a_cell_is_shown(cell: object, text: str) -> None:
    assert shown(cell) == text


def test_a_name_that_looks_like_markup_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows("Customers", {"name": "left"}, [("[/bold] & Sons",)])

    assert "[/bold] & Sons" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metered", "text"),
    [
        ("2400.500", "2400.5"),
        ("2400.0", "2400"),
        ("2400", "2400"),
        ("0.00", "0"),
        ("-0.10", "-0.1"),
    ],
)
def test_an_energy_in_json_has_no_idle_zeros(
    metered: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"energy_wh": Decimal(metered), "wh": Decimal(metered), "net": Decimal("1.10")}

    print_json([content])

    assert json.loads(capsys.readouterr().out) == [{"energy_wh": text, "wh": text, "net": "1.10"}]

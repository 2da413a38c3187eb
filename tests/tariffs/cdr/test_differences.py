"""Why a total that a CDR states is not ours: the first reason that gives it exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tariffs.cdr.test_ocpi_pricing import cdr, compared, tariff


@pytest.mark.parametrize(
    ("stated", "field", "reason"),
    [
        pytest.param({"excl_vat": 2.75}, "before_taxes", "after taxes", id="gross for net"),
        pytest.param(
            {"excl_vat": 2.5, "incl_vat": 9}, "after_taxes", "no named policy", id="wrong"
        ),
        pytest.param({"excl_vat": 2.51}, "before_taxes", "probably rounding", id="a cent"),
    ],
)
def test_a_stated_total_that_differs_has_a_reason(
    stated: dict[str, float], field: str, reason: str
) -> None:
    checked = cdr(("10:00", {"ENERGY": 10}, None), total_cost=stated)

    _, [found] = compared(checked, [tariff()])

    assert found.field == f"total_cost.{field}"
    assert reason in found.reason


@pytest.mark.parametrize(
    ("total", "parts", "reason"),
    [
        pytest.param(-2.6, 2.6, "no named policy gives what is stated", id="its parts add up"),
        pytest.param(-2.6, -2.6, "no named policy gives what is stated", id="parts negated too"),
        pytest.param(-2.6, 2.5, "its own parts add up to 2.50", id="its parts do not add up"),
        pytest.param(-2.51, 2.51, "within one minor unit", id="a cent"),
        pytest.param(2.51, 2.51, "no named policy gives what is stated", id="not taken back"),
    ],
)
def test_the_reason_of_a_credit_cdr_looks_at_the_sign(
    total: float, parts: float, reason: str
) -> None:
    checked = cdr(
        ("10:00", {"ENERGY": 10}, None),
        credit=True,
        credit_reference_id="b",
        total_cost={"excl_vat": total},
        total_energy_cost={"excl_vat": parts},
    )

    _, [found, *_] = compared(checked, [tariff()])

    assert found.field == "total_cost.before_taxes"
    assert reason in found.reason


@pytest.mark.parametrize(
    ("is_credit", "total", "reason"),
    [
        (True, -2.5, "leaves out: the tariff's least price"),
        (False, -2.5, "no named policy gives what is stated"),
        (False, -2.99, "no named policy gives what is stated"),
    ],
)
def test_a_limit_is_left_out_of_a_total_of_the_right_sign_only(
    is_credit: bool,  # noqa: FBT001 - a row of the table
    total: float,
    reason: str,
) -> None:
    """Of 2.50 the least price makes 3.00."""
    checked = cdr(("10:00", {"ENERGY": 10}, None), credit=is_credit, total_cost={"excl_vat": total})

    _, [found] = compared(checked, [tariff(min_price={"excl_vat": 3})])

    assert reason in found.reason


def test_the_policy_that_gives_the_stated_total_is_named() -> None:
    """Two periods of 0.504 EUR: 1.01 as a total, 1.00 if each period is rounded."""
    checked = cdr(
        ("10:00", {"ENERGY": 2.016}, None),
        ("11:00", {"ENERGY": 2.016}, None),
        total_cost={"excl_vat": 1.00},
    )

    _, [found] = compared(checked, [tariff()])

    assert "round-per-period" in found.policies
    assert "round-per-period" in found.reason
    assert found.difference == Decimal("-0.01")


def test_every_stated_part_is_compared() -> None:
    parts = {
        "total_energy_cost": {"excl_vat": 2.5},
        "total_fixed_cost": {"excl_vat": 1},
        "total_time_cost": {"excl_vat": 1},
        "total_parking_cost": {"excl_vat": 0},
        "total_reservation_cost": {"excl_vat": 0},
    }
    checked = cdr(("10:00", {"ENERGY": 10, "TIME": 2}, None), total_energy=10000, **parts)

    _, found = compared(checked, [tariff()])

    assert [each.field for each in found] == [
        "total_fixed_cost.before_taxes",
        "total_time_cost.before_taxes",
        "total_energy",
    ]

"""How much is put aside before a start: by the tariff, the policy, and no less than both say."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

import msgspec
import pytest

from ledger.master_data.policies import Policy
from ledger.payments.visits.likely_price import likely_hold
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.tariff import Dimension, Tariff
from tests.depot import NOON, component, tariff

ENERGY = tariff("energy", component(Dimension.ENERGY, "0.40"))
HOURLY = tariff("hourly", component(Dimension.TIME, "3.00"))
YEN = msgspec.structs.replace(tariff("yen", component(Dimension.ENERGY, "60")), currency="JPY")
KRONER = msgspec.structs.replace(ENERGY, currency="NOK")
IN_TWO = Policy(
    visit_hold_min={"EUR": Decimal(5), "JPY": Decimal(500)},
    visit_hold_max={"EUR": Decimal(20), "JPY": Decimal(3000)},
)
NIGHT = msgspec.structs.replace(
    ENERGY,
    elements=(
        *tariff(
            "n", component(Dimension.ENERGY, "0.80"), start_time=time(13, 5), end_time=time(16)
        ).elements,
        *ENERGY.elements,
    ),
)
STATED = msgspec.structs.replace(ENERGY, preauthorize_amount=Decimal("42.10"))


@pytest.mark.parametrize(
    ("priced", "policy", "held_minor"),
    [
        pytest.param(ENERGY, Policy(), 2900, id="60 kWh with 19 %, 28.56, in whole euros"),
        pytest.param(ENERGY, Policy(visit_kwh=1), 500, id="at least the policy's least"),
        pytest.param(ENERGY, Policy(visit_hold_max=Decimal(20)), 2000, id="at most its most"),
        pytest.param(HOURLY, Policy(visit_hours=4), 1500, id="4 hours with 19 %, 14.28"),
        pytest.param(YEN, Policy(visit_hold_max=Decimal(9000)), 4284, id="a currency of no cents"),
        pytest.param(YEN, IN_TWO, 3000, id="at most the most in that currency"),
        pytest.param(ENERGY, IN_TWO, 2000, id="and in another one"),
        pytest.param(KRONER, IN_TWO, 0, id="nothing in one that is not named"),
        pytest.param(NIGHT, Policy(), 5800, id="the dearer of now and when the car may come"),
        pytest.param(STATED, Policy(), 4300, id="what the tariff says"),
        pytest.param(STATED, Policy(visit_hold_max=Decimal(30)), 3000, id="and no more than we do"),
    ],
)
def test_what_is_put_aside(priced: Tariff, policy: Policy, held_minor: int) -> None:
    moments = [NOON, NOON + timedelta(seconds=policy.visit_pay_s + policy.visit_start_s)]
    held = likely_hold(compile_tariff(priced), policy, "Europe/Berlin", moments)

    assert held == held_minor

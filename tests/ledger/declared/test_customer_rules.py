"""What a customer and its tokens must fulfil to be declared."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import Entity, Kind
from ledger.declared.rules import problems_of
from ledger.master_data.customers import Customer, CustomerKind, Invoicing
from ledger.master_data.tokens import Token
from tests.depot import NOON, declared

FRENCH = "FR61954506077"
MISCOPIED = "FR62954506077"


def problems(entity: Entity) -> list[str]:
    kind = Kind.CUSTOMER if isinstance(entity, Customer) else Kind.TOKEN
    change = Change(kind=kind, key="new", entity=entity, valid_from=NOON)
    planned = plan_changes(declared(), [change], at=NOON + timedelta(1))
    return [each.message for each in problems_of(declared(), planned)]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"vat_id": FRENCH, "reverse_charge": True}, None),
        ({"vat_id": "FR 61 954 506 077", "kind": CustomerKind.FLEET}, None),
        ({"vat_id": "US980780684"}, None),
        ({"vat_id": ""}, None),
        ({"vat_id": MISCOPIED}, f"vat_id {MISCOPIED}: its check digits are wrong"),
        ({"vat_id": "954506077"}, "vat_id '954506077' is not as its country writes them"),
        (
            {"vat_id": "US980780684", "reverse_charge": True},
            "reverse_charge needs a vat_id that can be checked",
        ),
        ({"reverse_charge": True}, "reverse_charge needs the customer's vat_id"),
        ({"vat_id": FRENCH, "kind": CustomerKind.PRIVATE}, "kind private has no vat_id"),
        ({"vat_id": FRENCH, "kind": CustomerKind.AD_HOC}, "kind ad_hoc has no vat_id"),
        ({"vat_id": FRENCH, "resells": True}, None),
        ({"resells": True}, "resells is a business's"),
        ({"payment_days": 0}, None),
        ({"payment_days": 365}, None),
        ({"payment_days": -1}, "payment_days must be from 0 to 365"),
        ({"payment_days": 366}, "payment_days must be from 0 to 365"),
        ({"invoicing": Invoicing.ON_THRESHOLD, "threshold": Decimal("0.01")}, None),
        ({"invoicing": Invoicing.ON_THRESHOLD}, "a threshold is of who is invoiced on_threshold"),
        ({"threshold": Decimal(5)}, "a threshold is of who is invoiced on_threshold"),
        (
            {"invoicing": Invoicing.ON_THRESHOLD, "threshold": Decimal(0)},
            "threshold must be an amount above 0",
        ),
        (
            {"invoicing": Invoicing.ON_THRESHOLD, "threshold": Decimal("NaN")},
            "threshold must be an amount above 0",
        ),
        ({"kind": CustomerKind.AD_HOC}, None),
        (
            {"kind": CustomerKind.AD_HOC, "invoicing": Invoicing.PER_MONTH},
            "an ad hoc customer has no contract: it is invoiced per_session",
        ),
    ],
)
def test_a_customer_is_declared_or_the_problem_is_named(
    told: dict[str, Any], problem: str | None
) -> None:
    found = problems(Customer(details="", **told))

    assert len(found) == (problem is not None)
    assert all(each.startswith(problem or "") for each in found)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"customer": "fleet", "cost_centre": "4711", "driver": "p-1"}, None),
        ({"parent": "fleet-1", "cost_centre": "4711"}, None),
        ({"customer": "fleet", "cost_centre": "x" * 100}, None),
        ({"customer": "fleet", "cost_centre": "x" * 101}, "cost_centre needs a text of 1 to 100"),
        ({"customer": "fleet", "cost_centre": " "}, "cost_centre needs a text of 1 to 100"),
        ({"customer": "fleet", "cost_centre": "a\nb"}, "cost_centre needs a text of 1 to 100"),
        ({"cost_centre": "4711"}, "a cost_centre and a driver are a customer's"),
        ({"driver": "p-1"}, "a cost_centre and a driver are a customer's"),
    ],
)
def test_a_cost_centre_and_a_driver_are_a_customers(
    told: dict[str, Any], problem: str | None
) -> None:
    found = problems(Token(**told))

    assert len(found) == (problem is not None)
    assert all(each.startswith(problem or "") for each in found)

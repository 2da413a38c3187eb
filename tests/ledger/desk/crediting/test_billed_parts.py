"""What goes along with the lines of an invoice that a person gives back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Kind
from ledger.desk.crediting.billed_parts import BilledPart, with_what_goes_along
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import CorrectionCause, Moment, Release
from ledger.rating.entitlements import NOTHING_USED
from ledger.rating.reconciling.giving_back import give_back
from tariffs.model.tariff import Dimension, PriceLimit
from tests.depot import NOON, component, declared, rated, session, tariff

CAPPED = replace(
    tariff(
        "energy",
        component(Dimension.FLAT, "1.00"),
        component(Dimension.ENERGY, "0.40"),
        component(Dimension.PARKING_TIME, "6.00"),
    ),
    max_price=PriceLimit(before_taxes=Decimal("5.00")),
)
"""1.00, 4.00 and 3.00, and the limit takes 3.00 off."""


@pytest.mark.parametrize(
    ("chosen", "along"),
    [
        pytest.param((2,), (2,), id="what is left is owed"),
        pytest.param((2, 3), (1, 2, 3, 4), id="what the limit takes off is not owed alone"),
        pytest.param((), (), id="all of it is all of it"),
    ],
)
def test_what_is_looked_at_is_what_is_given_back(
    chosen: Sequence[int], along: Sequence[int]
) -> None:
    was = rated(
        session(parked_minutes=30),
        declared((Kind.TARIFF, "energy", published(CAPPED), BEGINNING)),
    )
    part = BilledPart(was, tuple(chosen), was, tuple(chosen), ())
    found = with_what_goes_along(part)
    left = give_back(
        was,
        chosen,
        Moment(partition=0, position=99, at=NOON),
        NOTHING_USED,
        chosen=Release(by="ann", reason="goodwill"),
        cause=CorrectionCause.CREDIT,
    )

    assert found.lines == along
    if chosen:
        less = sum(line.net_minor for line in was.lines if line.line in found.lines)
        assert was.net_minor - less == left.net_minor

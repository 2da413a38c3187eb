"""What versions say alike is written and compared once, and nothing is missed by that."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace

from roaming_ocpi.cdrs import saying
from roaming_ocpi.cdrs.made import PricePart, PriceParts, price_part
from roaming_ocpi.cdrs.making import make_body
from roaming_ocpi.cdrs.saying import VERSIONS, Speaker, UnsayableCdrError
from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedCost, StatedTax, StatedTotals
from tariffs.model.tariff import Dimension
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import NOON, component, session, tariff
from tests.roaming_ocpi.cdrs.rated_for_partner import GUEST, rated_for_partner, terms_for

COST: Final = StatedCost(
    before_taxes=Decimal("2.01"),
    taxes=(StatedTax(name="VAT", amount=Decimal("0.38"), percentage=Decimal(19)),),
)
STATED: Final = StatedTotals(
    total_cost=COST,
    total_energy_cost=COST,
    total_fixed_cost=StatedCost(before_taxes=Decimal("0.10")),
    total_energy=Decimal("5.021"),
    total_time=Decimal("1.50"),
)
PLAIN: Final = ChargingPeriod(starts_at=NOON, energy=Decimal("5.021"), time=Decimal(1))
PERIODS: Final = {
    "plain": (PLAIN,),
    "parked": (
        PLAIN,
        ChargingPeriod(starts_at=NOON + timedelta(hours=1), parking_time=Decimal("0.5")),
    ),
    "reserved": (ChargingPeriod(starts_at=NOON, reservation_time=Decimal(1)), PLAIN),
    "named": (replace(PLAIN, tariff_id="energy-1"),),
    "other": (replace(PLAIN, others=(("STATE_OF_CHARGE", Decimal(80)),)),),
    "measured": (replace(PLAIN, max_power=Decimal("11.0"), min_current=Decimal(6)),),
}


def cdr_of(periods: tuple[ChargingPeriod, ...], stated: StatedTotals = STATED) -> Cdr:
    return Cdr(
        id="checked",
        starts_at=NOON,
        ends_at=NOON + timedelta(minutes=90, milliseconds=5),
        currency="EUR",
        periods=periods,
        stated=stated,
    )


@pytest.mark.parametrize("order", [VERSIONS, tuple(reversed(VERSIONS))], ids=["down", "up"])
@pytest.mark.parametrize("periods", PERIODS.values(), ids=PERIODS)
def test_what_is_written_together_is_what_each_version_writes_alone(
    periods: tuple[ChargingPeriod, ...], order: tuple[OcpiVersion, ...]
) -> None:
    cdr = cdr_of(periods)
    parts = PriceParts(cdr)

    for version in order:
        assert parts.written(version) == price_part(cdr, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_that_states_another_total_is_refused_though_others_were_compared(
    monkeypatch: pytest.MonkeyPatch, version: OcpiVersion
) -> None:
    known = tariff("energy", component(Dimension.ENERGY, "0.40"))
    rated = rated_for_partner(known, session(token_uid=GUEST, energy_wh="5021"))

    class Faulty(PriceParts):
        """States a cent more in one version."""

        def written(self, asked: OcpiVersion) -> PricePart:
            cost = self.cdr.stated.total_cost
            assert cost is not None
            assert cost.before_taxes is not None
            if asked is not version:
                return super().written(asked)
            more = replace(cost, before_taxes=cost.before_taxes + Decimal("0.01"))
            stated = replace(self.cdr.stated, total_cost=more)
            return price_part(replace(self.cdr, stated=stated), asked)

    monkeypatch.setattr(saying, "PriceParts", Faulty)
    made = make_body(rated, terms_for(known), Speaker())

    assert set(made.body.versions) == {each.value for each in VERSIONS} - {version.value}
    [flagged] = [note for note in made.notes if note.code == "version_unsayable"]
    assert flagged.version == version.value
    assert "total_cost" in flagged.message


def test_a_cdr_of_which_every_version_states_another_total_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = tariff("energy", component(Dimension.ENERGY, "0.40"))
    rated = rated_for_partner(known, session(token_uid=GUEST, energy_wh="5021"))

    class Nothing(PriceParts):
        """States that nothing is owed."""

        def written(self, asked: OcpiVersion) -> PricePart:
            nothing = StatedCost(before_taxes=Decimal(0))
            stated = replace(self.cdr.stated, total_cost=nothing)
            return price_part(replace(self.cdr, stated=stated), asked)

    monkeypatch.setattr(saying, "PriceParts", Nothing)
    with pytest.raises(UnsayableCdrError, match="total_cost"):
        make_body(rated, terms_for(known), Speaker())


def test_a_total_in_the_frozen_bytes_is_one_of_the_forms() -> None:
    known = tariff("energy", component(Dimension.ENERGY, "0.40"))
    rated = rated_for_partner(known, session(token_uid=GUEST, energy_wh="5021"))
    made = make_body(rated, terms_for(known), Speaker())

    totals = {
        version: msgspec.json.decode(bytes(said.written))["total_cost"]
        for version, said in made.body.versions.items()
    }
    assert totals == {
        "2.3.0": {
            "before_taxes": 2.01,
            "taxes": [{"name": "VAT", "percentage": 19, "amount": 0.38}],
        },
        "2.2.1": {"excl_vat": 2.01, "incl_vat": 2.39},
        "2.1.1": 2.01,
    }

"""A published tariff as a station is sent it: named by its version, or refused with the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ledger.master_data.tariff_versions import published
from tariffs.adjustments.adjustment import GroupGrant
from tariffs.model.tariff import Dimension, Tariff
from tariffs.ocpp21.stations import (
    ROUNDED,
    UnsayableTariffError,
    station_tariff,
    station_tariff_id,
)
from tests.depot import ENERGY_ONLY, component, tariff

GRANT = GroupGrant(group="residents", percent=50, dimensions=("ENERGY",))  # type: ignore[arg-type]
BY_THE_HOUR = tariff("hours", component(Dimension.TIME, "1"))


def changed(priced: Tariff, **parts: Any) -> Tariff:  # noqa: ANN401 - of any field
    return msgspec.structs.replace(priced, **parts)


def test_the_name_of_a_version_is_the_same_for_ever_and_fits() -> None:
    sha256 = published(ENERGY_ONLY).sha256

    assert station_tariff_id("energy", sha256) == f"energy@{sha256[:16]}"
    assert station_tariff(ENERGY_ONLY, sha256).tariff_id == f"energy@{sha256[:16]}"
    assert station_tariff_id("x" * 43, sha256) == f"{'x' * 43}@{sha256[:16]}"
    assert station_tariff_id("x" * 44, sha256) == f"{'x' * 43}@{sha256[:16]}"
    assert len(station_tariff_id("x" * 500, sha256)) == 60


def test_two_versions_of_a_tariff_have_two_names() -> None:
    dearer = changed(ENERGY_ONLY, elements=tariff("e", component(Dimension.ENERGY, "1")).elements)
    names = {station_tariff_id(each.id, published(each).sha256) for each in (ENERGY_ONLY, dearer)}

    assert len(names) == 2


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (changed(ENERGY_ONLY, adjustments=(GRANT,)), "adjustment"),
        (BY_THE_HOUR, "not_exact"),
        (
            changed(
                ENERGY_ONLY,
                elements=(
                    *ENERGY_ONLY.elements,
                    *tariff("f", component(Dimension.FLAT, "1")).elements,
                    *tariff("g", component(Dimension.FLAT, "2")).elements,
                ),
            ),
            "several_flats",
        ),
    ],
)
def test_by_what_a_station_would_reckon_otherwise_is_refused_by_name(
    told: Tariff, code: str
) -> None:
    with pytest.raises(UnsayableTariffError, match=rf"tariff '{told.id}': .*\[{code}\]") as refused:
        station_tariff(told, published(told).sha256)

    assert [note.code for note in refused.value.notes] == [code]


def test_what_costs_nothing_may_be_left_unsaid() -> None:
    named = changed(
        ENERGY_ONLY, name="Harbour by day", end_date_time=datetime(2030, 1, 1, tzinfo=UTC)
    )

    assert station_tariff(named, published(named).sha256).energy is not None


def test_who_asks_for_it_gets_one_that_is_nearly_ours() -> None:
    granting = changed(ENERGY_ONLY, adjustments=(GRANT,))

    nearly = station_tariff(granting, published(granting).sha256, accepted=None)
    rounded = station_tariff(
        BY_THE_HOUR, published(BY_THE_HOUR).sha256, decimals=4, accepted=ROUNDED
    )

    assert nearly.energy is not None
    assert rounded.charging_time is not None
    assert str(rounded.charging_time.prices[0].price_minute) == "0.0167"


def test_what_cannot_be_said_at_all_is_refused_whoever_asks() -> None:
    with pytest.raises(UnsayableTariffError, match="not_exact"):
        station_tariff(BY_THE_HOUR, published(BY_THE_HOUR).sha256, accepted=None)

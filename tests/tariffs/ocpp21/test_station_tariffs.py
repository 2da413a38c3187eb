"""A published tariff as a station is sent it: named by its version, or refused with the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest

from ingest.commands.schemas import check_command
from ledger.master_data.tariff_versions import published
from tariffs.adjustments.adjustment import GroupGrant
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement
from tariffs.ocpp21.importing import import_tariff
from tariffs.ocpp21.messages import SetDefaultTariff, ocpp_json
from tariffs.ocpp21.stations import (
    ROUNDED,
    UnsayableTariffError,
    station_tariff,
    station_tariff_id,
)
from tests.depot import ENERGY_ONLY, component, tariff
from tests.tariffs.made_up import made_up_session, made_up_tariff

GRANT = GroupGrant(group="residents", percent=50, dimensions=("ENERGY",))  # type: ignore[arg-type]
T = TypeVar("T", Tariff, TariffElement, PriceComponent)
BY_THE_HOUR = tariff("hours", component(Dimension.TIME, "1"))


def changed(priced: T, **parts: Any) -> T:  # noqa: ANN401 - of any field
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


def _sayable(random: Random) -> Tariff:
    """Return a tariff whose prices divide by minutes and share one rate of tax."""
    made = made_up_tariff(random)
    vat = made.elements[0].price_components[0].vat
    elements = tuple(
        changed(
            element,
            price_components=tuple(
                changed(each, step_size=0, vat=vat, price=each.price * 60)
                for each in element.price_components
            ),
        )
        for element in made.elements
    )
    return changed(made, elements=elements)


def test_by_what_a_station_is_sent_a_session_costs_what_we_bill() -> None:
    """What is sent, read back and priced by the kernel: as a station would reckon it."""
    compared = 0
    for seed in range(800):
        random = Random(seed)
        ours = _sayable(random)
        try:
            sent = station_tariff(ours, published(ours).sha256)
        except UnsayableTariffError:
            continue
        message = ocpp_json(SetDefaultTariff(evse_id=0, tariff=sent)).decode()
        check_command("ocpp2.1", "SetDefaultTariff", message)
        theirs = import_tariff(sent).tariff
        assert theirs is not None
        usage = made_up_session(random)
        first = price_session(usage, compile_tariff(ours))
        second = price_session(usage, compile_tariff(theirs))
        assert (first.before_minor, first.tax_minor) == (second.before_minor, second.tax_minor), (
            seed
        )
        compared += 1
    assert compared > 100

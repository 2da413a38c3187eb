"""Which tariff version holds: the most specific assignment, the version in force at the start."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from tariffs.canonical import tariff_hash
from tariffs.catalog import (
    Assignment,
    CompiledCatalog,
    Place,
    TariffChangedError,
    TariffVersion,
    assigned_tariff,
    version_at,
)
from tariffs.tariff import Dimension, PriceComponent, Tariff, TariffElement

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
PLACE = Place(site="garage", station="G-1", groups=("resident",), token="abc")


def version(number: int, price: str, valid_from: datetime) -> TariffVersion:
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price))
    tariff = Tariff(
        id="t", currency="EUR", elements=(TariffElement(price_components=(component,)),)
    )
    return TariffVersion(
        tariff=tariff, version=number, sha256=tariff_hash(tariff), valid_from=valid_from
    )


@pytest.mark.parametrize(
    ("assignments", "tariff"),
    [
        pytest.param([{}], "0", id="an assignment to everything"),
        pytest.param([{}, {"site": "garage"}], "1", id="the site before everything"),
        pytest.param([{"station": "G-1"}, {"site": "garage"}], "0", id="the station first"),
        pytest.param([{"station": "G-1"}, {"group": "resident"}], "1", id="the group first"),
        pytest.param([{"token": "abc"}, {"group": "resident"}], "0", id="the token first"),
        pytest.param([{"site": "other"}], None, id="another site's tariff is nobody's"),
        pytest.param([{"group": "staff"}, {"site": "garage"}], "1", id="not in that group"),
        pytest.param([{"valid_from": MAY}, {}], "1", id="not yet in force"),
        pytest.param([{"valid_until": MARCH, "site": "garage"}, {}], "1", id="no longer in force"),
    ],
)
def test_the_most_specific_assignment_decides(
    assignments: list[dict[str, object]], tariff: str | None
) -> None:
    written = [
        msgspec.convert({"tariff_id": str(i), "valid_from": JANUARY} | named, Assignment)
        for i, named in enumerate(assignments)
    ]

    assert assigned_tariff(written, PLACE, MARCH) == tariff
    assert assigned_tariff(reversed(written), PLACE, MARCH) == tariff


def test_a_session_keeps_the_version_of_its_start() -> None:
    versions = [version(1, "0.40", JANUARY), version(2, "0.50", MARCH)]

    found = [version_at(versions, "t", at) for at in (JANUARY, MARCH, MAY)]

    assert [v.version for v in found if v is not None] == [1, 2, 2]
    assert version_at(versions, "t", datetime(2025, 1, 1, tzinfo=UTC)) is None


def test_a_published_tariff_that_changed_is_noticed() -> None:
    published = version(1, "0.40", JANUARY)
    changed = msgspec.structs.replace(published, tariff=version(1, "0.41", JANUARY).tariff)

    with pytest.raises(TariffChangedError, match="is now"):
        CompiledCatalog().compiled(changed)


def test_a_version_is_compiled_once() -> None:
    catalog, published = CompiledCatalog(), version(1, "0.40", JANUARY)

    assert catalog.compiled(published) is catalog.compiled(published)

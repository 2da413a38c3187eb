"""What one station says costs the EVSEs of that station, whatever else its site has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from ledger.declared.declarations import Kind
from roaming_ocpi.places.ours import last_looks, wanted
from roaming_ocpi.places.ours import telling as teller_room
from roaming_ocpi.places.ours.wanted import PartnerTelling
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.places.declared_places import (
    STATION,
    change,
    connected,
    declared_in,
    say,
)
from tests.roaming_ocpi.places.places_served import NOW
from tests.roaming_ocpi.places.test_telling_partners import PLACE, telling

STATIONS = 40


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return, of each look so far, the EVSEs whose status was compared; it is compared as ever."""
    looks: list[list[str]] = []

    def noted(told: Any, evses: Iterable[Any], *more: Any) -> Iterator[PartnerTelling]:  # noqa: ANN401
        evses = list(evses)
        looks.append([tree["uid"] for _, _, tree in evses])
        return wanted_evses(told, evses, *more)

    wanted_evses = wanted.changed_evses
    monkeypatch.setattr(wanted, "changed_evses", noted)
    monkeypatch.setattr(teller_room, "changed_evses", noted)
    return looks


async def test_a_status_costs_its_station_s_evses_and_the_same_none(
    database: str, looked_at: list[list[str]]
) -> None:
    with connected(database, "HB-1"):
        async with telling(database) as told:
            more = [change(Kind.STATION, f"HB-{n}", STATION) for n in range(2, STATIONS)]
            told.partner.declared = declared_in(database, *more, at=NOW)
            await told.once()
            await told.once()  # all that was put is compared once more
            looked_at.clear()
            say(database, "HB-1", 2, "Charging", NOW)
            changed, same = await told.once(), await told.once()

    assert (changed, same) == (["PATCH 1000"], [])
    assert looked_at == [["HB-1*1", "HB-1*2"], []]


async def test_whatever_else_changed_and_now_and_then_everything_is_looked_at(
    database: str, looked_at: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telling(database) as told:
        for _ in range(3):
            await told.once()
        looked_at.clear()
        more = change(Kind.STATION, "HB-2", STATION)
        told.partner.declared = declared_in(database, more, at=NOW)
        declared = await told.once()
        other = told._replace(link=told.link._replace(token="other"))
        await other.once()
        await told.once()
        monkeypatch.setattr(last_looks, "ALL_SECONDS", 0.0)
        later = await told.once()

    assert (declared, later) == (["PUT 1000"], [])
    assert [len(each) for each in looked_at] == [0, 4, 4, 4]  # of what is put none is left


async def test_what_was_not_told_is_told_by_the_next_look(database: str) -> None:
    receiver = ModuleId.LOCATIONS, InterfaceRole.RECEIVER
    with connected(database, "HB-1"):
        async with telling(database) as told:
            await told.once()
            await told.once()
            say(database, "HB-1", 1, "Charging", NOW)
            gone = {**told.link.endpoints, receiver: "http://127.0.0.1:9/gone"}
            await told.teller.tell(told.link._replace(endpoints=gone))
            say(database, "HB-1", 2, "Faulted", NOW + timedelta(seconds=1))
            asked = await told.once()

    assert asked == ["PATCH 1000", "PATCH 1000"]


@pytest.mark.parametrize("version", OcpiVersion)
async def test_of_a_large_site_the_location_is_put_with_some_and_each_other_alone(
    database: str, monkeypatch: pytest.MonkeyPatch, version: OcpiVersion
) -> None:
    monkeypatch.setattr(wanted, "EVSES_AT_ONCE", 3)
    with connected(database, "HB-3"):
        async with telling(database, version) as told:
            more = [change(Kind.STATION, f"HB-{n}", STATION) for n in (2, 3)]
            told.partner.declared = declared_in(database, *more, at=NOW)
            first, again = await told.once(), await told.once()
            say(database, "HB-3", 2, "Charging", NOW)
            status = await told.once()
            one = change(Kind.STATION, "HB-4", STATION)
            told.partner.declared = declared_in(database, one, at=NOW)
            grown = await told.once()
            kept = (await told.kept(PLACE))["evses"]
            wanted_all = (await told.partner.ask("GET", "/cpo/2.2.1/locations/harbour")).data

    assert first == ["PUT 1000"] * (2 + 3)  # the tariff and the Location, and three EVSEs
    assert (again, status) == ([], ["PATCH 1000"])
    assert grown == ["PUT 1000"] * (1 + 5)
    uids = [f"HB-{n}*{m}" for n in (1, 2, 3, 4) for m in (1, 2)]
    assert [each["uid"] for each in kept] == uids
    assert [each["status"] for each in kept] == [each["status"] for each in wanted_all["evses"]]


async def test_of_a_large_site_that_takes_more_than_a_turn_the_rest_is_put_later(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "EVSES_AT_ONCE", 0)
    async with telling(database) as told:
        await told.once()
        monkeypatch.setattr(teller_room, "TURN_SECONDS", 0.0)
        one = change(Kind.STATION, "HB-2", STATION)
        told.partner.declared = declared_in(database, one, at=NOW)
        turns = [await told.once() for _ in range(6)]
        kept = (await told.kept(PLACE))["evses"]

    assert turns == [["PUT 1000"]] * 5 + [[]]
    assert len(kept) == 4

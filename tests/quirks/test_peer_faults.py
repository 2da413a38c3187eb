"""Money faults that were found in other software, each as a scenario that comes out right here.

docs/peer-faults.md lists them all; what another test shows already is named there and not repeated.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from ledger.declared.declarations import BEGINNING, Kind
from ledger.master_data.assignments import Assignment
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from ledger.rating.decide import decide
from ledger.rating.decisions import Moment, SessionRated
from ledger.sessions.session import ChargingSession
from tariffs.model.tariff import Dimension, Restrictions, Tariff, TariffElement
from tests.depot import component, declared, tariff
from tests.station_story import MORNING, Story16, Story201, stamp, watts, wh
from tests.tree import ROOT

FAULTS = 28

EVERYTHING = tariff(
    "everything",
    component(Dimension.FLAT, "1.00"),
    component(Dimension.ENERGY, "0.40"),
    component(Dimension.TIME, "6.00"),
    component(Dimension.PARKING_TIME, "3.00"),
)
CHEAP_UNTIL_HALF_PAST_NINE = Tariff(
    id="cheap-early",
    currency="EUR",
    elements=(
        TariffElement(
            price_components=(component(Dimension.ENERGY, "0.20"),),
            restrictions=Restrictions(end_time=time(9, 30)),
        ),
        TariffElement(
            price_components=(component(Dimension.ENERGY, "0.60"),), restrictions=Restrictions()
        ),
    ),
)


def bill(session: ChargingSession, by: Tariff = EVERYTHING) -> SessionRated:
    """Return the rating of *session* at a site in Berlin, where *by* is the only tariff."""
    declarations = declared(
        (Kind.STATION, "CS-1", Station(site="harbour"), BEGINNING),
        (Kind.TOKEN, "tag-1", Token(customer="anna"), BEGINNING),
        (Kind.TOKEN, "tag-2", Token(customer="anna"), BEGINNING),
        (Kind.TARIFF, by.id, published(by), BEGINNING),
        (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff=by.id, site="harbour"), BEGINNING),
    )
    moment = Moment(partition=0, position=1, at=session.last_received_at)
    decision = decide(session, declarations, moment=moment)
    assert isinstance(decision, SessionRated), decision
    return decision


def net_minor(rating: SessionRated) -> dict[Dimension, int]:
    nets: dict[Dimension, int] = {}
    for line in rating.lines:
        nets[line.dimension] = nets.get(line.dimension, 0) + line.net_minor
    return nets


def half_an_hour_each() -> Story16:
    """5 kWh in half an hour, and half an hour in which the car asks for nothing."""
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(6000))
    story.state(30, "SuspendedEV")
    story.stop(60, 6000)
    return story


def test_peer_fault_01_every_part_of_the_price_is_billed() -> None:
    rating = bill(half_an_hour_each().session())

    assert net_minor(rating) == {
        Dimension.FLAT: 100,
        Dimension.ENERGY: 200,
        Dimension.TIME: 300,
        Dimension.PARKING_TIME: 150,
    }


def test_peer_fault_04_idle_time_is_not_charging_time() -> None:
    by_time = tariff("by-time", component(Dimension.TIME, "6.00"))

    assert bill(half_an_hour_each().session(), by_time).net_minor == 300


@pytest.mark.parametrize("story", [Story16(), Story201()], ids=["1.6", "2.0.1"])
def test_peer_fault_05_values_without_energy_take_nothing_away(story: Story16 | Story201) -> None:
    story.start(0, 1000)
    story.sample(20, wh(3000))
    story.sample(40, watts(7000))
    story.stop(60, 6000)

    assert story.session().energy_wh == 5000


def test_peer_fault_06_a_begin_of_zero_does_not_bill_the_meters_life() -> None:
    story = Story201()
    story.start(0, 0, offline=True)
    story.sample(20, wh(910_020))
    story.stop(60, 910_083)

    session = story.session()
    assert session.energy_wh is None or session.energy_wh <= 83
    assert session.blockers


def test_peer_fault_08_an_end_that_waited_in_a_queue_counts() -> None:
    story = Story201()
    story.start(0, 1000)
    story.stop(60, 6000, offline=True, received=600)

    assert net_minor(bill(story.session()))[Dimension.ENERGY] == 200


@pytest.mark.parametrize("place", [1, 2], ids=["same connector", "other connector"])
def test_peer_fault_09_a_start_that_was_rejected_ends_nobody(place: int) -> None:
    story = Story16()
    story.start(0, 1000)
    story.send(
        "StartTransaction",
        {"connectorId": place, "idTag": "STRANGER", "meterStart": 2000, "timestamp": stamp(10)},
        10,
        reply={"transactionId": 2, "idTagInfo": {"status": "Invalid"}},
    )
    story.sample(20, wh(3000))
    story.stop(60, 6000)

    [session] = [each for each in story.sessions() if each.token_uid == "tag-1"]
    assert session.energy_wh == 5000
    assert session.blockers == ()


def test_peer_fault_13_a_second_plug_has_a_session_of_its_own() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(5, 50_000, tx=2, place=2, token="TAG-2")
    story.sample(20, wh(52_000), tx=2, place=2)
    story.stop(30, 53_000, tx=2)
    story.stop(60, 6000, tx=1)

    drawn = {each.token_uid: each.energy_wh for each in story.sessions()}
    assert drawn == {"tag-1": 5000, "tag-2": 3000}


@pytest.mark.parametrize("story", [Story16(), Story201()], ids=["1.6", "2.0.1"])
def test_peer_fault_14_what_comes_with_the_stop_counts(story: Story16 | Story201) -> None:
    story.start(0, 1000)
    story.stop(60, 6000, samples=[wh(6000, context="Transaction.End")])

    session = story.session()
    assert session.energy_wh == 5000
    assert session.points[-1].energy_wh == 5000


def test_peer_fault_15_late_data_is_priced_by_when_it_happened() -> None:
    nets = []
    for flushed in (None, 400):  # live, and out of the queue of a station that was offline
        story = Story16()
        story.start(0, 1000, received=flushed)
        story.sample(30, wh(3000), received=flushed)
        story.stop(60, 6000, received=flushed)
        nets.append(bill(story.session(), CHEAP_UNTIL_HALF_PAST_NINE).net_minor)

    assert nets == [2 * 20 + 3 * 60] * 2


def test_peer_fault_16_a_price_from_a_number_of_kwh_on_is_found() -> None:
    from_three_kwh = Tariff(
        id="volume",
        currency="EUR",
        elements=(
            TariffElement(
                price_components=(component(Dimension.ENERGY, "0.20"),),
                restrictions=Restrictions(min_kwh=Decimal(3)),
            ),
            TariffElement(
                price_components=(component(Dimension.ENERGY, "0.60"),), restrictions=Restrictions()
            ),
        ),
    )

    assert bill(half_an_hour_each().session(), from_three_kwh).net_minor == 3 * 60 + 2 * 20


def test_peer_fault_17_prices_are_per_hour_and_vat_is_per_cent() -> None:
    rating = bill(half_an_hour_each().session(), tariff("t", component(Dimension.TIME, "6.00")))

    assert (rating.net_minor, rating.gross_minor) == (300, 357)


def test_peer_fault_21_registers_in_several_units_are_one_register() -> None:
    story = Story16()
    story.start(0, 910_000)
    story.sample(30, wh("912.5", unit="kWh"))
    story.stop(60, 915_000)

    session = story.session()
    assert session.energy_wh == 5000
    assert Decimal(2500) in {point.energy_wh for point in session.points}


def test_peer_fault_24_the_hour_that_autumn_repeats_is_charged_twice_and_ends() -> None:
    night = datetime(2026, 10, 25, tzinfo=UTC)  # 02:00 in Berlin, an hour before 02:00 again
    minute = (night - MORNING) / timedelta(minutes=1)
    story = Story16()
    story.start(minute, 1000)
    story.stop(minute + 120, 6000)
    from_two_to_three = Tariff(
        id="night",
        currency="EUR",
        elements=(
            TariffElement(
                price_components=(component(Dimension.TIME, "6.00"),),
                restrictions=Restrictions(start_time=time(2), end_time=time(3)),
            ),
        ),
    )

    assert bill(story.session(), from_two_to_three).net_minor == 1200


def test_peer_fault_25_a_message_that_comes_again_after_forty_days_bills_nothing() -> None:
    story = half_an_hour_each()
    billed = bill(story.session()).net_minor
    story.start(0, 1000, received=40 * 24 * 60)
    story.stop(60, 6000, received=40 * 24 * 60 + 1)

    assert bill(story.session()).net_minor == billed


def rows() -> list[tuple[int, str]]:
    """Return each fault that docs/peer-faults.md lists: its number, and where it is shown."""
    page = (ROOT / "docs" / "peer-faults.md").read_text("utf-8")
    found = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    return [(int(number), shown) for number, shown in found]


def test_every_fault_is_listed_once_in_order() -> None:
    assert [number for number, _ in rows()] == list(range(1, FAULTS + 1))


def test_every_fault_names_a_test_that_exists_or_says_that_it_comes_later() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tests = set(re.findall(r"def (test_\w+)", text))

    for number, shown in rows():
        named = set(re.findall(r"`(test_\w+)`", shown))
        assert named or shown.startswith("later: "), number
        assert named <= tests, number
        for name in named:
            assert "peer_fault" not in name or name.startswith(f"test_peer_fault_{number:02}_")

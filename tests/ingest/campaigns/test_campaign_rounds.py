"""Campaigns in stages: who is asked when, what comes of it, and what a kill changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from ingest.campaigns.campaign import BadCampaignError, NoCampaignError, list_campaigns
from ingest.campaigns.outcomes import BOOTED, UNHEARD
from ingest.campaigns.rounds import AGAIN_AFTER, campaign_round
from ingest.campaigns.stages import CampaignState
from ingest.files.firmware import FirmwareInUseError, remove_firmware
from ledger.database import connect
from tests.ingest.campaigns.campaigning import STATIONS, Campaigning, campaigning

PAUSED, RUNNING, CANCELLED = CampaignState.PAUSED, CampaignState.RUNNING, CampaignState.CANCELLED


@pytest.fixture
async def fleet(database: str) -> AsyncIterator[Campaigning]:
    async with AsyncExitStack() as exits:
        yield await campaigning(database, exits)


async def test_it_goes_from_stage_to_stage_to_its_end(fleet: Campaigning) -> None:
    await fleet.connect(*STATIONS[:11])
    fleet.begin(*STATIONS[:11], stages=("1", "5", "100%"), at_once=3)

    await fleet.round()
    assert fleet.stands() == ("running", 1, {"waiting": 10, "asked": 1})
    first = fleet.of("asked")
    assert fleet.asked() == {first[0]: 1}
    told = fleet.stations[first[0]].asked[0]
    assert told[0] == "UpdateFirmware"
    assert told[1]["location"].startswith("https://f.example/")
    await fleet.round()
    assert fleet.stands() == ("running", 1, {"waiting": 10, "asked": 1})

    fleet.said("Installed", *first)
    await fleet.round()
    assert fleet.stands() == ("running", 2, {"waiting": 7, "asked": 3, "done": 1})
    while fleet.stands()[0] == "running":
        fleet.said("Installed", *fleet.of("asked"))
        await fleet.round()
        assert len(fleet.of("asked")) <= 3

    assert fleet.stands() == ("done", 3, {"done": 11})
    assert fleet.asked() == dict.fromkeys(STATIONS[:11], 1)
    report = [(e.stage, e.model, e.stations, e.done) for e in fleet.report().models]
    assert report == [(1, "V1", 1, 1), (2, "V1", 4, 4), (3, "V1", 6, 6)]


async def test_it_stops_at_the_share_of_failures_and_goes_on_when_it_is_told(
    fleet: Campaigning,
) -> None:
    await fleet.connect(*STATIONS[:4])
    fleet.begin(*STATIONS[:4], stages=("1", "100%"), failures_percent=Decimal(30))
    await fleet.round()
    fleet.said("InstallationFailed", *fleet.of("asked"))
    await fleet.round()
    assert fleet.stands() == ("stopped", 1, {"waiting": 3, "failed": 1})
    await fleet.round()
    assert fleet.stands() == ("stopped", 1, {"waiting": 3, "failed": 1})

    fleet.change(RUNNING)
    await fleet.round()
    assert fleet.stands() == ("running", 2, {"asked": 3, "failed": 1})
    fleet.said("DownloadFailed", fleet.of("asked")[0])
    await fleet.round()
    assert fleet.stands() == ("running", 2, {"asked": 2, "failed": 2})
    # Two of four since it was resumed.
    fleet.said("InvalidSignature", fleet.of("asked")[0])
    await fleet.round()
    assert fleet.stands() == ("stopped", 2, {"asked": 1, "failed": 3})
    fleet.said("Installed", fleet.of("asked")[0])
    await fleet.round()
    assert fleet.stands() == ("stopped", 2, {"done": 1, "failed": 3})


async def test_a_failure_is_tried_again_after_a_while(fleet: Campaigning) -> None:
    await fleet.connect("CP1")
    fleet.begin("CP1", tries=2)
    await fleet.round()
    fleet.said("DownloadFailed", "CP1")
    await fleet.round()
    assert (fleet.stands()[2], fleet.status("CP1")) == ({"waiting": 1}, "DownloadFailed")
    await fleet.round(AGAIN_AFTER / timedelta(minutes=1) - 1 / 60)
    assert fleet.asked() == {"CP1": 1}
    await fleet.round(1 / 60)
    assert fleet.asked() == {"CP1": 2}
    # What it said of the first try is not of the second one.
    await fleet.round()
    assert fleet.stands() == ("running", 1, {"asked": 1})
    fleet.said("DownloadFailed", "CP1")
    await fleet.round()
    assert fleet.stands() == ("done", 1, {"failed": 1})


@pytest.mark.parametrize(
    ("protocol", "answer", "status"),
    [
        ("ocpp2.0.1", {"status": "Rejected"}, "Rejected"),
        ("ocpp2.0.1", {"status": "InvalidCertificate"}, "InvalidCertificate"),
        ("ocpp1.6", '[4,"ID","NotSupported","",{}]', "NotSupported"),
    ],
)
async def test_who_refuses_has_failed(
    fleet: Campaigning, protocol: str, answer: object, status: str
) -> None:
    await fleet.connect("CP1", protocol=protocol, answer=answer)
    fleet.begin("CP1")
    await fleet.round()
    assert fleet.stands()[2] == {"asked": 1}
    await fleet.round()
    assert (fleet.stands()[2], fleet.status("CP1")) == ({"failed": 1}, status)


async def test_who_says_nothing_has_failed_after_so_many_hours(fleet: Campaigning) -> None:
    await fleet.connect("CP1", answer={})
    fleet.begin("CP1", heard_within=timedelta(hours=2))
    await fleet.round()
    fleet.said("Downloading", "CP1")
    await fleet.round(120 - 1 / 60)
    assert fleet.stands()[2] == {"asked": 1}
    await fleet.round(1 / 60)
    assert (fleet.stands()[2], fleet.status("CP1")) == ({"failed": 1}, UNHEARD)


async def test_a_boot_with_the_version_says_it_too(fleet: Campaigning) -> None:
    await fleet.connect("CP1", "CP2")
    fleet.begin("CP1", "CP2", stages=("100%",))
    fleet.booted("CP1", "2.0", fleet.clock.now())
    await fleet.round()
    fleet.booted("CP2", "1.9", fleet.clock.now() + timedelta(seconds=5))
    await fleet.round()
    assert fleet.stands()[2] == {"asked": 2}, "before it was asked, and with another version"
    fleet.booted("CP1", "2.0", fleet.clock.now() + timedelta(seconds=5))
    await fleet.round()
    assert (fleet.of("done"), fleet.status("CP1")) == (["CP1"], BOOTED)


async def test_what_names_a_request_is_of_that_request(fleet: Campaigning) -> None:
    await fleet.connect("CP1", protocol="ocpp2.0.1")
    fleet.said("Installed", "CP1")
    fleet.begin("CP1")
    await fleet.round()
    own = fleet.requests("CP1")[0]
    fleet.said("Installed", "CP1", request_id=own + 1)
    fleet.said("InstallationFailed", "CP1", request_id=own - 1)
    await fleet.round()
    assert fleet.stands()[2] == {"asked": 1}
    fleet.said("Installed", "CP1", request_id=own)
    await fleet.round()
    assert fleet.stands() == ("done", 1, {"done": 1})


async def test_a_kill_before_the_call_makes_one_call_all_the_same(fleet: Campaigning) -> None:
    await fleet.connect("CP1")
    fleet.begin("CP1", tries=1)
    with connect(fleet.database) as connection, connection.transaction():
        lost = campaign_round(connection, "https://f.example", by="a", at=fleet.clock.now())
    assert ([e.station_id for e in lost], fleet.asked()) == (["CP1"], {})

    fleet.upkeep.close()
    fleet.upkeep = fleet.an_upkeep()
    await fleet.round()
    await fleet.round()
    assert (fleet.asked(), fleet.stands()[2]) == ({"CP1": 1}, {"asked": 1})
    # Who stood still meanwhile, and asks now, asks for the same call.
    await fleet.upkeep._order(lost[0])  # noqa: SLF001 - as a process without the lease would
    await asyncio.sleep(0.2)
    assert fleet.asked() == {"CP1": 1}
    fleet.said("Installed", "CP1")
    await fleet.round()
    assert fleet.stands() == ("done", 1, {"done": 1})


async def test_one_that_goes_before_it_is_called_waits_as_before(fleet: Campaigning) -> None:
    await fleet.connect("CP1")
    fleet.begin("CP1", tries=1)
    with connect(fleet.database) as connection, connection.transaction():
        lost = campaign_round(connection, "https://f.example", by="a", at=fleet.clock.now())
    await fleet.stations["CP1"].socket.close()
    await _until_gone(fleet, "CP1")
    await fleet.round()
    assert fleet.stands()[2] == {"waiting": 1}
    await fleet.connect("CP1")
    await fleet.round()
    assert (fleet.stands()[2], fleet.asked()) == ({"asked": 1}, {"CP1": 1})
    # Who stood still with the first order has no other call to ask for.
    await fleet.upkeep._order(lost[0])  # noqa: SLF001 - as a process without the lease would
    await asyncio.sleep(0.2)
    assert fleet.asked() == {"CP1": 1}


async def test_two_campaigns_ask_a_station_one_after_the_other(fleet: Campaigning) -> None:
    await fleet.connect("CP1")
    for name in ("spring", "summer"):
        fleet.begin("CP1", name=name)
    await fleet.round()
    await fleet.round()
    assert [fleet.stands(each)[2] for each in ("spring", "summer")] == [
        {"asked": 1},
        {"waiting": 1},
    ]
    fleet.said("Installed", "CP1")
    await fleet.round()
    assert [fleet.stands(each)[2] for each in ("spring", "summer")] == [{"done": 1}, {"asked": 1}]


async def test_who_is_away_is_asked_when_it_is_back(fleet: Campaigning) -> None:
    fleet.begin("CP1", "CP2", stages=("100%",))
    await fleet.round()
    assert fleet.stands() == ("running", 1, {"waiting": 2})
    await fleet.connect("CP2")
    await fleet.round()
    assert (fleet.of("asked"), fleet.of("waiting")) == (["CP2"], ["CP1"])


async def test_paused_and_cancelled_it_asks_nobody_and_still_hears(fleet: Campaigning) -> None:
    await fleet.connect("CP1", "CP2")
    fleet.begin("CP1", "CP2", stages=("1", "2"))
    await fleet.round()
    fleet.change(PAUSED)
    fleet.said("Installed", *fleet.of("asked"))
    await fleet.round()
    assert fleet.stands() == ("paused", 1, {"waiting": 1, "done": 1})
    fleet.change(RUNNING)
    await fleet.round()
    assert fleet.stands() == ("running", 2, {"asked": 1, "done": 1})
    fleet.change(CANCELLED)
    for state in (RUNNING, PAUSED, CANCELLED):
        with pytest.raises(NoCampaignError, match="there is no campaign spring that is"):
            fleet.change(state)
    await fleet.round()
    assert (fleet.stands()[0], fleet.report().changed_by) == ("cancelled", "ben")


@pytest.mark.parametrize(
    ("hours", "utc", "asked"),
    [
        ((time(22), time(5)), "20:59", []),
        ((time(22), time(5)), "21:00", ["CP1"]),
        ((time(22), time(5)), "03:59", ["CP1"]),
        ((time(22), time(5)), "04:00", []),
        ((time(9), time(17)), "08:00", ["CP1"]),
        ((time(9), time(17)), "16:00", []),
    ],
)
async def test_stations_are_asked_in_the_hours_of_their_site(
    fleet: Campaigning, hours: tuple[time, time], utc: str, asked: list[str]
) -> None:
    await fleet.connect("CP1")
    fleet.begin("CP1", hours=hours)
    begin = datetime.fromisoformat(f"2026-03-05T{utc}").replace(tzinfo=UTC)
    fleet.clock.moment = begin
    await fleet.round(0)
    assert fleet.of("asked") == asked


async def test_without_an_address_for_files_it_waits(fleet: Campaigning) -> None:
    await fleet.connect("CP1")
    fleet.begin("CP1")
    fleet.upkeep.close()
    fleet.upkeep = fleet.an_upkeep(base="")
    await fleet.round()
    assert fleet.asked() == {}
    fleet.upkeep.close()
    fleet.upkeep = fleet.an_upkeep()
    await fleet.round()
    assert fleet.asked() == {"CP1": 1}


async def test_what_cannot_be_a_campaign_is_refused(fleet: Campaigning) -> None:
    with pytest.raises(BadCampaignError, match="no station is chosen"):
        fleet.begin()
    fleet.begin("CP1")
    with pytest.raises(BadCampaignError, match="there is a campaign spring already"):
        fleet.begin("CP2")
    with connect(fleet.database) as connection:
        assert [e.name for e in list_campaigns(connection)] == ["spring"]
        with pytest.raises(FirmwareInUseError):
            remove_firmware(connection, fleet.firmware)


async def _until_gone(fleet: Campaigning, name: str) -> None:
    async with asyncio.timeout(10):
        with connect(fleet.database) as connection:
            gone = "SELECT count(*) FROM connected_station WHERE station_id = %s"
            while connection.execute(gone, (name,)).fetchone() != (0,):  # noqa: ASYNC110 - a table
                await asyncio.sleep(0.05)


async def test_an_answer_that_no_decimal_holds_stops_no_round(fleet: Campaigning) -> None:
    odd = '[3,"ID",{"x":1e9999999999999999999}]'
    await fleet.connect(STATIONS[0], answer=odd)
    await fleet.connect(STATIONS[1])
    fleet.begin(*STATIONS[:2], stages=("100%",))
    await fleet.round()

    fleet.said("Installed", *STATIONS[:2])
    await fleet.round()
    assert fleet.stands() == ("done", 1, {"done": 2})

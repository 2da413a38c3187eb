"""A campaign as people run it: commands, the program, a station that updates itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.deploy.files.test_station_files import IMAGE, fetching, until
from tests.deploy.observing.free_ports import free_base
from tests.deploy.running.examples.test_interface_examples import MASTER
from tests.deploy.running_wattledger import Wattledger

CREATE = ("firmware", "campaign", "create")
SECONDS_MAX = 300


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def wattledger(tmp_path: Path, authority: Authority) -> Wattledger:
    (tmp_path / "master.yaml").write_text(
        MASTER.replace("tariff_assignments:", "").split("  - {")[0]
    )
    (tmp_path / "volt.bin").write_bytes(IMAGE)
    issued = authority.issue("files")
    program = Wattledger(tmp_path / "data")
    program.environment |= {
        "WATTLEDGER_TLS_CERTIFICATE": str(issued.certificate),
        "WATTLEDGER_TLS_KEY": str(issued.key),
        "WATTLEDGER_HTTP_PORT": "-1",
        "WATTLEDGER_FILES_PORT": str(free_base()),
    }
    program.done("apply", tmp_path / "master.yaml")
    program.done("firmware", "add", tmp_path / "volt.bin", "--as", "2.0", "--vendor", "Volt")
    program.done("firmware", "add", tmp_path / "volt.bin", "--as", "2.0", "--vendor", "Amp")
    return program


async def in_thread(wattledger: Wattledger, *words: str) -> Any:  # noqa: ANN401 - JSON
    return await asyncio.to_thread(wattledger.read, *words)


async def test_a_campaign_is_made_shown_and_changed(
    wattledger: Wattledger, authority: Authority
) -> None:
    with wattledger.up() as (_, address):
        async with fetching(address, authority.ca, "ocpp1.6"):
            await until(
                lambda: wattledger.read("station", "show", "CS-001"),
                lambda found: found["firmware"] == "1.4",
            )
            for words, why in (
                (("spring", "2.0"), "there are several firmwares 2.0, for Amp any, Volt any"),
                (("spring", "2.0", "--vendor", "Amp"), "no station is chosen that the firmware"),
                (("spring", "2.0", "--vendor", "Volt", "--station", "X"), "no such stations are"),
                (("spring", "2.0", "--vendor", "Volt", "--stages", "x"), "a stage is a number"),
                (("spring", "2.0", "--vendor", "Volt", "--between", "9"), "--between is two"),
                (("spring", "2.0", "--vendor", "Volt", "--stop-at", "101"), "--stop-at is 0 to"),
            ):
                refused = await asyncio.to_thread(wattledger.run, *CREATE, *words)
                said = " ".join(refused.stderr.split())
                assert (refused.returncode, why in said) == (1, True), said
            flags = ("--site", "harbour", "--stages", "1", "100%", "--between", "22:00-05:00")
            made = await in_thread(wattledger, *CREATE, "spring", "2.0", "--vendor", "Volt", *flags)
            assert made == {"name": "spring", "version": "2.0", "stations": 1}
            states = []
            for change in ("pause", "resume", "cancel"):
                await in_thread(wattledger, "firmware", "campaign", change, "spring")
                listed = await in_thread(wattledger, "firmware", "campaign", "list")
                states.append([each["state"] for each in listed])
            assert states == [["paused"], ["running"], ["cancelled"]]
            shown = await in_thread(wattledger, "firmware", "campaign", "show", "spring")
            assert (shown["begins"], shown["stage"], shown["failures_percent"]) == (
                "22:00:00",
                1,
                "10",
            )
            assert [(e["model"], e["stations"], e["waiting"]) for e in shown["models"]] == [
                ("V1", 1, 1)
            ]
            told = wattledger.done("firmware", "campaign", "show", "spring")
            assert told.startswith("spring: 2.0, cancelled, stage 1\n")
    del wattledger.environment["WATTLEDGER_FILES_PORT"]
    refused = wattledger.run(*CREATE, "summer", "2.0", "--vendor", "Volt")
    assert (refused.returncode, "no files are served: set files_port" in refused.stderr) == (
        1,
        True,
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS_MAX)
async def test_a_station_is_brought_to_the_version(
    wattledger: Wattledger, authority: Authority
) -> None:
    """The upkeep looks once a minute: two of them."""
    with wattledger.up() as (_, address):
        async with fetching(address, authority.ca, "ocpp2.0.1") as station:
            await until(
                lambda: wattledger.read("station", "show", "CS-001"),
                lambda found: found["firmware"] == "1.4",
            )
            await in_thread(wattledger, *CREATE, "spring", "2.0", "--vendor", "Volt")
            async with asyncio.timeout(SECONDS_MAX):
                shown: Any = {"state": "running"}
                while shown["state"] == "running":
                    await asyncio.sleep(2)
                    shown = await in_thread(wattledger, "firmware", "campaign", "show", "spring")
            assert (shown["state"], shown["stations"][0]["status"]) == ("done", "Installed")
            assert station.fetched == [IMAGE]
            found = await in_thread(wattledger, "station", "show", "CS-001")
            assert found["firmware"] == "2.0"

"""`wattledger partner start` and its like: a partner's stations are commanded, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect_async
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token, TokenStatus
from roaming_ocpi.commands.sender import CommandsSender
from roaming_ocpi.registration.store import Agreed, conclude, new_token, promise
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.ids import evse_uid, location_id, wire_session_id
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.commands.commanded import Commanding, commanding, heard
from tests.roaming_ocpi.tokens.two_sides import DECLARED_AT, OURS, THEIRS, TNM, Clock, declare

LOCATION = location_id("harbour")
EVSE = ("--evse", evse_uid("CP1", 1))
MINE, BLOCKED = "04MINE", "04STOLEN"
CARDS = {
    MINE: Token(customer="anna"),
    BLOCKED: Token(customer="anna", status=TokenStatus.BLOCKED),
}


@asynccontextmanager
async def asking(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: OcpiVersion = OcpiVersion.V2_2_1,
    *,
    is_running: bool = True,
) -> AsyncIterator[Commanding]:
    """Let commands be typed at NL-TNM, and DE-HBC have the stations; one database is both."""

    def theirs(resources: Resources) -> list[Module]:
        return [CommandsSender(resources.database, resources.client, resources.address).commands()]

    async with commanding(database, version=version, theirs=theirs, is_running=is_running) as two:
        cpo = Partner(name="HBC", legal_entity="depot", roles=(PartnerRole.CPO,), plain_token=True)
        declare(database, CARDS, partners={OURS: cpo})
        url = f"{two.side.address}/ocpi/cpo/{version}/commands"
        endpoints = {(ModuleId.COMMANDS, InterfaceRole.RECEIVER): url}
        agreed = Agreed(THEIRS, version, url, endpoints, (OURS,), TNM)
        async with await connect_async(database) as connection:
            await promise(connection, OURS, new_token(), ends=0, at=DECLARED_AT, by="ann")
            await conclude(connection, OURS, agreed, ends=0, at=DECLARED_AT, by="ann", is_anew=True)
        # What is typed goes by the real clock.
        clock = two.side.resources.now.__self__  # type: ignore[attr-defined]
        assert isinstance(clock, Clock)
        clock.moment = datetime.now(UTC)
        for name in NAMES:
            monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
        monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
        monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("WATTLEDGER_ROAMING_PRIVATE_NETWORKS", "true")
        monkeypatch.setenv("WATTLEDGER_ROAMING_URL", f"{two.partner.address}/ocpi")
        yield two


async def typed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Return what a command prints, on both channels, that ends with *code*."""
    capsys.readouterr()
    found = await asyncio.to_thread(run, ["partner", *words])
    printed = capsys.readouterr()
    assert found == code, printed.out + printed.err
    return printed.out + printed.err


async def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    return json.loads(await typed(capsys, *words, "--json", code=code))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("version", list(OcpiVersion))
async def test_a_driver_of_ours_is_served_at_a_partner_s_station(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: OcpiVersion,
) -> None:
    async with asking(database, tmp_path, monkeypatch, version) as two:
        started = await told(capsys, "start", OURS, LOCATION, *EVSE, "--token", MINE)
        reserved = await told(capsys, "reserve", OURS, LOCATION, *EVSE, "--token", MINE)
        two.session()
        stopped = await typed(capsys, "stop", OURS, wire_session_id("CP1/7/x"))
        unlocked = await told(capsys, "unlock", OURS, LOCATION, EVSE[1], "1")
        number = str(reserved.pop("reservation"))
        if version is OcpiVersion.V2_1_1:
            cancelled = await typed(capsys, "cancel", OURS, number, code=WRONG)
        else:
            cancelled = await typed(capsys, "cancel", OURS, number)
        calls = [action for action, _ in heard(database)]

    done = {"partner": OURS, "party": OURS, "answer": "ACCEPTED", "result": "ACCEPTED"}
    named = {"command": "START_SESSION", "kind": "START_SESSION", "reservation": None}
    assert started == done | named
    assert reserved == done | {"command": "RESERVE_NOW", "kind": "RESERVE_NOW"}
    assert "STOP_SESSION was answered ACCEPTED\n  the station  ACCEPTED" in stopped
    assert unlocked["result"] == "ACCEPTED"
    is_old = version is OcpiVersion.V2_1_1
    assert ("knows no CANCEL_RESERVATION" if is_old else "the station  ACCEPTED") in cancelled
    assert calls == [
        "RemoteStartTransaction", "ReserveNow", "RemoteStopTransaction", "UnlockConnector",
        *([] if is_old else ["CancelReservation"]),
    ]  # fmt: skip


@pytest.mark.timeout(120)
async def test_what_is_not_done_is_said_and_no_token_is_repeated(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = ("start", OURS, LOCATION)
    async with asking(database, tmp_path, monkeypatch, is_running=False):
        silent = await typed(capsys, *at, *EVSE, "--token", MINE, "--wait", "0.5", code=1)
        not_awaited = await told(capsys, *at, *EVSE, "--token", MINE, "--wait", "0")
        refused = await typed(capsys, "stop", OURS, "nothing-of-ours", code=1)
        said = [
            await typed(capsys, *words, code=WRONG)
            for words in (
                (*at, "--token", BLOCKED),
                (*at, "--token", "04NOBODYS"),
                ("stop", "BE-ABC", "s"),
                ("stop", "FR-NIX", "s"),
            )
        ]
        connector = await typed(capsys, "start", OURS, "nowhere", "--token", MINE, code=1)

    assert "nothing was told within 0.5 s" in silent
    assert (not_awaited["answer"], not_awaited["result"]) == ("ACCEPTED", None)
    assert "STOP_SESSION was answered UNKNOWN_SESSION" in refused
    reasons = ["may not: BLOCKED", "none that partners know", "is not registered", "no partner"]
    assert [reason in text for reason, text in zip(reasons, said, strict=True)] == [True] * 4
    assert MINE not in connector + silent
    assert not any(uid in "".join(said) for uid in (BLOCKED, "04NOBODYS"))

"""`wattledger partner`, as a partner manager calls it: declared, invited, registered, ended."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from roaming_ocpi.registration.sending import register
from roaming_ocpi.relay.outgoing import MessageKind, enqueue
from roaming_ocpi.server.front.callers import FRESH_SECONDS
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    cpo,
    linking_instance,
    told,
)

ADD = ["partner", "add", THEIRS, "--name", "TNM", "--legal-entity", "us", "--role", "emsp"]


@pytest.fixture
def books(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of the commands, where partners may live on this machine."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_ROAMING_PRIVATE_NETWORKS", "true")
    return database


@asynccontextmanager
async def both(
    books: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[LinkingInstance, LinkingInstance]]:
    """Serve our side over *books*, and a partner over *other* that has declared us."""
    async with (
        linking_instance(books, OURS) as ours,
        linking_instance(other, THEIRS, (OURS, cpo()), name="TNM") as partner,
    ):
        monkeypatch.setenv("WATTLEDGER_ROAMING_URL", ours.address)
        yield ours, partner


async def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Return what a command prints, on both channels, that ends with *code*."""
    capsys.readouterr()
    found = await asyncio.to_thread(run, list(words))
    printed = capsys.readouterr()
    assert found == code, printed.out + printed.err
    return printed.out + printed.err


async def shown(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(await said(capsys, *words, "--json"))


async def test_a_manager_invites_and_the_partner_registers(
    books: str,
    other_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with both(books, other_database, monkeypatch) as (ours, partner):
        assert "NL-TNM is declared" in await said(capsys, *ADD)
        assert "declared" in await said(capsys, "partner", "list")
        invited = await said(capsys, "partner", "register", THEIRS, "--invite", "--by", "anna")
        token = invited.split("token     ")[1].split()[0]
        assert f"versions  {ours.versions_url}" in invited
        waiting = await said(capsys, "partner", "show", THEIRS)
        assert ("state          invited" in waiting, "invited until" in waiting) == (True, True)

        await register(partner.ours, OURS, token, ours.versions_url, by="bob", told=told)

        [row] = await shown(capsys, "partner", "list")
        found = await shown(capsys, "partner", "show", THEIRS)
        text = await said(capsys, "partner", "show", THEIRS)
        secrets = [token, (await ours.link(THEIRS)).token, (await partner.link(OURS)).token]

    assert (row["partner"], row["state"], row["version"], row["our_party"]) == (
        THEIRS,
        "registered",
        "2.3.0",
        OURS,
    )
    assert [each["why"] for each in found["changes"]] == ["registered by the partner", "invited"]
    assert {each["identifier"] for each in found["link"]["endpoints"]} == {"credentials", "tokens"}
    assert (found["link"]["tokens"], found["link"]["invited_until"]) == (1, None)
    assert ("OCPI           2.3.0, we are DE-HBC" in text, "anna" in text) == (True, True)
    assert [each for each in secrets if each in text + json.dumps(found)] == []


async def test_a_manager_registers_renews_pauses_and_ends(
    books: str,
    other_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with both(books, other_database, monkeypatch) as (ours, partner):
        await said(capsys, *ADD, "--url", partner.versions_url, "--version", "2.1.1", "2.2.1")
        token = await partner.invited(OURS)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
        text = await said(capsys, "partner", "register", THEIRS, "--token-stdin")
        assert "asking NL-TNM for its versions" in text
        assert "NL-TNM is registered, in OCPI 2.2.1." in text
        assert token not in text
        assert await ours.holds(partner)
        before = (await ours.link(THEIRS)).token

        renewed = await shown(capsys, "partner", "register", THEIRS, "--renew")
        assert (renewed["version"], renewed["is_checked"]) == ("2.2.1", True)
        assert (await ours.link(THEIRS)).token != before

        assert "is paused" in await said(capsys, "partner", "pause", THEIRS, "--reason", "dispute")
        assert (await ours.link(THEIRS)).state == "paused"
        assert "is registered" in await said(capsys, "partner", "resume", THEIRS)

        with connect(books) as connection:
            for subject in ("C1", "C2", "C3"):
                enqueue(connection, THEIRS, MessageKind.CDR, subject, lane=subject)
            connection.execute("UPDATE outgoing SET state = 'dead' WHERE subject = 'C1'")
        ended = await said(capsys, "partner", "revoke", THEIRS, "--reason", "contract over")
        assert "NL-TNM is revoked; it was told" in ended
        await asyncio.sleep(FRESH_SECONDS)
        assert not await partner_holds(partner)
        [row] = await shown(capsys, "partner", "list")
        assert row["state"] == "revoked"
        audited = ours.rows("SELECT direction, module, http FROM roaming_call ORDER BY id")
        assert ("out", "credentials", 200) in audited

        monkeypatch.setattr(sys, "stdin", io.StringIO(await partner.invited(OURS)))
        again = await said(capsys, "partner", "register", THEIRS, "--token-stdin")
        assert "What waited for it goes out now: 2 messages." in again
        assert "What it refused before does not: 1, `wattledger partner retry NL-TNM`." in again


async def partner_holds(partner: LinkingInstance) -> bool:
    return bool(partner.rows("SELECT FROM roaming_link WHERE state <> 'revoked'"))


async def test_what_cannot_be_done_says_what_to_do(
    books: str,
    other_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with both(books, other_database, monkeypatch) as (_ours, partner):
        unknown = await said(capsys, "partner", "register", THEIRS, "--invite", code=WRONG)
        assert "there is no partner 'NL-TNM': declare it" in unknown
        await said(capsys, *ADD)
        for words, why in [
            (["register", THEIRS], "say one of --invite"),
            (["register", THEIRS, "--invite", "--renew"], "say one of --invite"),
            (["register", THEIRS, "--token", "x"], "say where it is, --url"),
            (["register", THEIRS, "--token", "a b", "--url", "http://x.example"], "a token has 1"),
            (["register", THEIRS, "--renew"], "NL-TNM is not registered"),
            (["pause", THEIRS], "NL-TNM is not registered"),
            (["revoke", THEIRS], "NL-TNM is not registered"),
            (["show", "NL-XXX"], "there is no partner NL-XXX"),
            (["add", *ADD[2:-1], "hub"], "is declared already"),
            (["add", "tnm", *ADD[3:]], "name no party"),
        ]:
            assert why in await said(capsys, "partner", *words, code=WRONG)
        assert await asyncio.to_thread(run, ["partner", "add", *ADD[2:-1], "bank"]) == MISUSED
        way = ("partner", "register", THEIRS, "--url", partner.versions_url)
        wrong = await said(capsys, *way, "--token", "never-given", code=WRONG)
        assert "It does not know this token" in wrong
        assert "never-given" not in wrong
        nowhere = partner.versions_url.replace("/ocpi", "/nowhere")
        lost = await said(capsys, *way[:-1], nowhere, "--token", "x", code=WRONG)
        assert "the versions of NL-TNM cannot be used" in lost
        monkeypatch.setenv("WATTLEDGER_ROAMING_PRIVATE_NETWORKS", "false")
        private = await said(capsys, *way, "--token", "x", code=WRONG)
        assert "leads into a private network" in private


@pytest.mark.usefixtures("books")
async def test_adding_the_same_again_changes_nothing(
    books: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with linking_instance(books, OURS) as ours:
        first = await shown(capsys, *ADD)
        again = await shown(capsys, *ADD)
        rows = ours.rows("SELECT count(*) FROM declaration WHERE kind = 'partner'")

    assert (first, rows) == (again, [(1,)])

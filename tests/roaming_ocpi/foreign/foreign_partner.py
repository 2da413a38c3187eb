"""A partner that is not ours in a process of its own, and how what it holds is compared."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from roaming_ocpi.registration.spelling import spelt_token
from roaming_ocpi.registration.store import new_token
from tariffs.ocpi.documents import decode_json
from tests.tree import ROOT

MADE = ".venv-ocpi/.made"
"""`make test` makes it: the library wants an older pydantic than what else the tests need."""
PYTHON = (ROOT / MADE).with_name("bin") / "python"
VERSION = "2.2.1"
READY_SECONDS = 60


@dataclass(frozen=True)
class ForeignPartner:
    """Where it is, and the token that it invites with."""

    address: str
    token_a: str

    @property
    def versions_url(self) -> str:
        return f"{self.address}/ocpi/versions"

    async def held(self) -> dict[str, Any]:
        """Return what it has by module, and with whom it is `linked`; numbers are exact."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.address}/held")
        held: dict[str, Any] = decode_json(answer.content)
        return held

    async def push(self, module: str, *keys: str) -> list[int]:
        """Have the library push objects to whom it is linked with; return HTTP's statuses."""
        linked = (await self.held())["linked"]
        url = linked["credentials"]["url"].removesuffix("versions") + VERSION
        receiver = {"endpoints_url": url, "auth_token": linked["credentials"]["token"]}
        token = spelt_token(linked["token"], is_plain=False)
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answers = [
                await client.post(
                    f"{self.address}/push/{VERSION}",
                    json={"module_id": module, "object_id": key, "receivers": [receiver]},
                    headers={"Authorization": f"Token {token}"},
                )
                for key in keys
            ]
        told = [each.json()["receiver_responses"] for each in answers]
        return [each["status_code"] for responses in told for each in responses]

    async def shown(self, module: str) -> list[dict[str, Any]]:
        """Return the list of ours that the partner is shown, asked for with the token that it has
        of us.
        """
        linked = (await self.held())["linked"]
        token = spelt_token(linked["credentials"]["token"], is_plain=False)
        [url] = [
            each["url"]
            for each in linked["endpoints"]["endpoints"]
            if (each["identifier"], each["role"]) == (module, "SENDER")
        ]
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers={"Authorization": f"Token {token}"})
        assert "next" not in answer.headers.get("link", "")
        shown: list[dict[str, Any]] = decode_json(answer.content)["data"]
        return shown


@asynccontextmanager
async def foreign_partner(
    role: str, folder: Path, objects: Mapping[str, Any]
) -> AsyncIterator[ForeignPartner]:
    """Run it as "cpo" (DE-HBC) or as "emsp" (NL-TNM) with *objects* in its hands, by module."""
    if not PYTHON.exists():
        pytest.skip(f"a partner by extrawest-ocpi wants an environment of its own: make {MADE}")
    (folder / "objects.json").write_text(json.dumps(objects), "utf-8")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        (folder / "foreign.log").open("wb") as output,
    ):
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        partner = ForeignPartner(address, new_token())
        process = await asyncio.create_subprocess_exec(
            PYTHON,
            Path(__file__).with_name("extrawest_process.py"),
            role,
            str(listener.fileno()),
            partner.token_a,
            folder / "objects.json",
            cwd=folder,
            stdout=output,
            stderr=output,
            pass_fds=(listener.fileno(),),
        )
    try:
        async with asyncio.timeout(READY_SECONDS):
            await _answers(partner, process)
        yield partner
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(partner: ForeignPartner, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            await partner.held()
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("the foreign partner ended at once: see foreign.log")


def lost(said: Any, held: Any, spot: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield where *held* is something else than was *said*: numbers to the last digit.

    Ids are the same in small letters, as the library keeps them, and moments to the second, as it
    does too. What is null or empty need not be there.
    """
    if said is None or said in ("", [], {}):
        is_same = held is None or held in ("", [], {})
    elif isinstance(said, dict) and isinstance(held, dict):
        for name, value in said.items():
            yield from lost(value, held.get(name), f"{spot}.{name}")
        return
    elif isinstance(said, list) and isinstance(held, list) and len(said) == len(held):
        for at, (one, other) in enumerate(zip(said, held, strict=True)):
            yield from lost(one, other, f"{spot}[{at}]")
        return
    elif isinstance(said, str):
        is_same = isinstance(held, str) and _is_same(said, held)
    else:
        is_same = isinstance(said, bool) == isinstance(held, bool) and said == held
    if not is_same:
        yield f"{spot}: {held!r} for {said!r}"


def _is_same(said: str, held: str) -> bool:
    if said.casefold() == held.casefold():
        return True
    try:
        moments = [datetime.fromisoformat(each).replace(microsecond=0) for each in (said, held)]
    except ValueError:
        return False
    return moments[0] == moments[1]

"""The specification's own examples, sent by a partner: each is taken, and given back as it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import decode_json
from tests.roaming_ocpi.server.linked_partner import linked_partner
from tests.roaming_ocpi.server.offered_to_all import offered_to_all
from tests.roaming_ocpi.wire.test_forms import normal
from tests.tree import VECTORS

EXAMPLES = sorted((VECTORS / "ocpi-spec").glob("*/*.json"))
PARTS = ("tariffrestriction", "location_patch")
"""Examples of what stands inside of something else, of which there is none."""
UNDATED = "tariff_put_example"
"""Of 2.3.0 it lacks `last_updated`, a slip: a Tariff must have it (2.3.0, mod_tariffs)."""
OWNER = {"country_code": "NL", "party_id": "TNM"}


class Example(NamedTuple):
    """An object, and where it goes: `path` names it by its number, for some share an id."""

    name: str
    path: str
    value: dict[str, Any]

    @property
    def is_part(self) -> bool:
        return "patch" in self.name


def examples() -> Iterator[Example]:
    """Yield all, as our partner's; changes behind a session that they change."""
    for number, path in enumerate(EXAMPLES):
        if path.stem.startswith(PARTS):
            continue
        version = "2.2.1" if "2.2.1" in path.parent.name else "2.3.0"
        module = path.stem.split("_")[0] + "s"
        value = decode_json(path.read_bytes())
        if "patch" not in path.stem:
            value |= {**OWNER, "id": f"E{number}"}
        where = "" if module == "cdrs" else f"/NL/TNM/E{number}"
        yield Example(f"{path.parent.name}/{path.stem}", f"{version}/{module}{where}", value)


@pytest.mark.skipif(not EXAMPLES, reason="the specification's examples of ../shared are not here")
async def test_what_the_specification_shows_is_taken_and_given_back(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = list(examples())
    wholes = [each for each in every if not each.is_part]
    async with offered_to_all(database, tmp_path, monkeypatch) as address:
        token = await linked_partner(database)
        headers = {"Authorization": f"Token {token}"}
        async with httpx.AsyncClient(
            base_url=f"{address}/ocpi/emsp/", headers=headers, trust_env=False
        ) as client:
            given_back = {each.name: await exchanged(client, each) for each in wholes}
            session = next(each for each in wholes if "/sessions/" in each.path)
            changes = [
                (await client.patch(session.path, content=encoded(each.value))).json()
                for each in every
                if each.is_part
            ]

    assert len(wholes) > 60
    refused = {each.name for each in wholes if "last_updated" not in each.value}
    assert {name.partition("/")[2] for name in refused} == {UNDATED}
    assert all("last_updated: is missing" in given_back.pop(name) for name in refused)
    assert given_back == {e.name: normal(e.value) for e in wholes if e.name not in refused}
    assert len(changes) == 6
    assert {each["status_code"] for each in changes} == {1000}, changes


async def exchanged(client: httpx.AsyncClient, example: Example) -> Any:  # noqa: ANN401 - JSON
    """Return what is found where an example was sent to, or why it was not taken."""
    method = "PUT" if "/NL/" in example.path else "POST"
    sent = await client.request(method, example.path, content=encoded(example.value))
    if sent.status_code not in {200, 201}:
        return sent.text
    found = await client.get(sent.headers.get("Location", example.path))
    return normal(decode_json(found.content)["data"])

"""A party writes what is its own: 10,000 tries at others' objects, none of them accepted.

The tries go to the application itself, as a server would call it, with every wall but the rates.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from litestar.types import Message, Scope

from deploy.clock import SystemClock
from deploy.roaming.opening import opened_roaming
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ledger.database import connect
from roaming_ocpi.offered import offered_modules
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.server.partner_side import PartnerSide
from tests.roaming_ocpi.server.linked_partner import linked_partner
from tests.roaming_ocpi.server.notes_for_partners import HUB, TNM, partners_served

TRIES: Final = 10_000
PARTIES = {TNM: {("NL", "TNM")}, HUB: {("FR", "HUB"), ("FR", "ONE"), ("FR", "TWO")}}
OTHERS = [
    *(("DE", "HBC"), ("NL", "TNN"), ("BE", "TNM"), ("de", "hbc"), ("NL", "TN"), ("NLD", "TNM")),
    *(
        ("", ""),
        ("NL", "TNM "),
        (" NL", "TNM"),
        ("NL", "TNM%00"),
        ("NL", "TNM%2F"),
        ("N%4C", "XXX"),
    ),
    *(("%EF%BC%AE%EF%BC%AC", "TNM"), ("NL", "%F0%9D%90%93NM"), ("NL", "TN\u00b5"), ("..", "..")),
    *(("NL", "..%2FTNM"), ("nl%20", "tnm"), ("\ufb01", "TNM"), ("*", "*"), ("N%4C", "XXX")),
]
METHODS: Final = ("PUT", "PATCH", "DELETE", "POST")


async def test_of_ten_thousand_tries_at_what_is_not_theirs_none_is_accepted(database: str) -> None:
    rng, accepted, statuses = random.Random(14), [], set()
    async with partners_served(
        database, walls=Walls(partner_rate=1e9, partner_burst=1e9)
    ) as served:
        side = served.side
        writable = [each for each in side.routes if "{party_id}" in each.template]
        for _ in range(TRIES):
            token = rng.choice([TNM, HUB])
            path, body = _foreign(rng, token, rng.choice(writable).template)
            method = rng.choice(METHODS)
            status = await _asked(side, method, f"/ocpi{path}", token, body)
            statuses.add(status)
            if status < 400:
                accepted.append((method, path, body))
        own = await _asked(side, "PUT", "/ocpi/cpo/2.2.1/tokens/nl/tnm/1", TNM, {"uid": "1"})
    with connect(database) as connection:
        kept = connection.execute("SELECT DISTINCT party FROM note").fetchall()

    assert accepted == []
    assert statuses <= {400, 403, 404, 405}
    assert {400, 403} <= statuses
    assert (own, kept) == (201, [("NL-TNM",)]), "the way for what is theirs is open"


async def test_nor_is_one_at_the_modules_that_are_offered(database: str, tmp_path: Path) -> None:
    rng, statuses = random.Random(41), set()
    settings = replace(Settings(data=tmp_path), metrics_port=-1)
    prepare(database, settings)
    token = await linked_partner(database)
    context = PartContext(settings=settings, clock=SystemClock(), dsn=database)
    walls = Walls(partner_rate=1e9, partner_burst=1e9)
    async with opened_roaming(context, "http://127.0.0.1:9/ocpi") as opened:
        side = PartnerSide(
            offered_modules(opened.resources),
            opened.resources,
            find=opened.find,
            prove=opened.prove,
            heard=opened.audit.hear,
            walls=walls,
        )
        writable = [
            each
            for each in side.routes
            if "{party_id}" in each.template and "hubclientinfo" not in each.template
        ]
        for _ in range(2_000):
            path, body = _foreign(rng, TNM, rng.choice(writable).template)
            method = rng.choice(METHODS)
            status = await _asked(side, method, f"/ocpi{path}", token, body)
            statuses.add(status)
            assert status >= 400, (method, path, body)
        heard = await _asked(side, "GET", "/ocpi/versions", token, {})

    assert (statuses <= {400, 403, 404, 405}, heard) == (True, 200)
    assert {400, 403} <= statuses


def _foreign(rng: random.Random, token: str, template: str) -> tuple[str, dict[str, Any]]:
    """Return a path and an object of which at least one belongs to somebody else."""
    others = OTHERS + [
        party for each, own in PARTIES.items() if each != token for party in sorted(own)
    ]
    mine = rng.choice(sorted(PARTIES[token]))
    kind = rng.randrange(3)
    country, party = rng.choice(others) if kind != 1 else mine
    path = template.replace("{country_code}", country).replace("{party_id}", party)
    path = re.sub(r"\{\w+\}", lambda _: rng.choice(["1", "%2e%2e", "a%2Fb", "x" * 36]), path)
    body: dict[str, Any] = {"uid": "1"}
    if kind:
        foreign = rng.choice([("DE", "HBC"), ("NL", "TNN"), (1, None), ("NL", ["TNM"]), ("", "")])
        body |= dict(zip(("country_code", "party_id"), foreign, strict=True))
    return path, body


async def _asked(
    side: PartnerSide, method: str, path: str, token: str, body: dict[str, Any]
) -> int:
    content = json.dumps(body).encode()
    said: list[Message] = []

    async def receive() -> Any:  # noqa: ANN401 - ASGI
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    scope: Any = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", f"Token {token}".encode())],
        "client": ("127.0.0.1", 1),
    }
    called: Scope = scope
    await side(called, receive, send)
    status: int = said[0]["status"]  # type: ignore[typeddict-item]
    return status

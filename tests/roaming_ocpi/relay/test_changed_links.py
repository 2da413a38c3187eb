"""A link that ends, or gets another token, while much of a claim is still to be sent."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from roaming_ocpi.relay.relay import IN_FLIGHT, LOOK_SECONDS
from tests.roaming_ocpi.client.odd_partner import TOKEN, Request
from tests.roaming_ocpi.relay.taking_partner import (
    TakingPartner,
    asked,
    link_of,
    put,
    relaying,
    taking,
    until,
    until_empty,
)

TNM = "NL-TNM"
NEW = "another-token-of-TNM"
WAITING = "SELECT count(*) FROM outgoing WHERE state = 'waiting'"


@pytest.mark.parametrize("ends", [True, False])
async def test_nothing_more_is_sent_by_a_token_that_holds_no_more(
    database: str, *, ends: bool
) -> None:
    goes_on = asyncio.Event()

    async def slow(_request: Request, _value: dict[str, Any]) -> bytes | None:
        await goes_on.wait()
        return None

    put(database, TNM, *(f"cdr-{number}" for number in range(30)))
    async with taking(TakingPartner(say=slow)) as partner:
        links = {TNM: link_of(TNM, partner.url)}
        async with relaying(database, links):
            await until(lambda: len(partner.asked) == IN_FLIGHT)
            link = links.pop(TNM)
            if not ends:
                links[TNM] = link._replace(token=NEW)
            await asyncio.sleep(3 * LOOK_SECONDS)
            goes_on.set()
            if ends:
                await until(lambda: asked(database, WAITING) == [(30 - IN_FLIGHT,)])
                await asyncio.sleep(3 * LOOK_SECONDS)
                assert len(partner.asked) == IN_FLIGHT
                # Nothing of it is lost: whoever registers again gets it.
                links[TNM] = link._replace(token=NEW)
            await until_empty(database)

    tokens = [each.headers["authorization"] for each in partner.asked]
    assert tokens == [spelt(TOKEN)] * IN_FLIGHT + [spelt(NEW)] * (30 - IN_FLIGHT)
    assert set(partner.effects.values()) == {1}
    assert len(partner.effects) == 30


def spelt(token: str) -> str:
    return f"Token {base64.b64encode(token.encode()).decode()}"

"""Permissions that come too late, twice or otherwise: each question has its own answer, or none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ledger.partners.asking import AskedAnswer
from tests.roaming_ocpi.client.odd_partner import Request, answer, enveloped, odd_partner
from tests.roaming_ocpi.tokens.test_asking_in_real_time import SENDER, Asking, ours

__all__ = ["ours"]

ALLOWED, BLOCKED, SILENT = AskedAnswer.ALLOWED, AskedAnswer.BLOCKED, AskedAnswer.SILENT


async def test_a_permission_that_comes_after_the_time_out_is_none_then_or_later(
    ours: Asking,
) -> None:
    ours.partner.seconds = 0.3
    late = await ours.ask(seconds=0.1)
    await asyncio.sleep(0.4)
    ours.partner.seconds, ours.partner.data = 0.0, {"allowed": "BLOCKED"}
    again = await ours.ask()
    other = await ours.ask("04DD")

    assert [late.answer, again.answer, other.answer] == [SILENT, BLOCKED, BLOCKED]


async def test_a_permission_that_comes_twice_is_none_for_the_next_card(ours: Asking) -> None:
    words = iter(["ALLOWED", "BLOCKED", "EXPIRED"])

    async def serve(_request: Request, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        writer.write(answer(enveloped({"allowed": next(words)})))
        await asyncio.sleep(0.02)
        writer.write(answer(enveloped({"allowed": "ALLOWED"})))
        await writer.drain()

    async with odd_partner(serve) as odd:
        assert ours.link is not None
        ours.link = ours.link._replace(endpoints={SENDER: f"{odd.url}/tokens"})
        found = []
        for uid in ("04A1", "04A2", "04A3"):
            found.append((await ours.ask(uid)).answer)
            await asyncio.sleep(0.05)

    assert found == [ALLOWED, BLOCKED, AskedAnswer.EXPIRED]


@pytest.mark.parametrize("slow", ["ALLOWED", "BLOCKED"])
async def test_of_two_stations_that_ask_at_once_each_has_its_own_answer(
    ours: Asking, slow: str
) -> None:
    words = iter(["ALLOWED", "BLOCKED"])

    async def serve(_request: Request, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        word = next(words)
        await asyncio.sleep(0.3 if word == slow else 0.0)
        writer.write(answer(enveloped({"allowed": word})))
        await writer.drain()

    async with odd_partner(serve) as odd:
        assert ours.link is not None
        ours.link = ours.link._replace(endpoints={SENDER: f"{odd.url}/tokens"})
        first = asyncio.create_task(ours.ask(station="ST-1"))
        await asyncio.sleep(0.1)
        second = await ours.ask(station="ST-2")
        allowed = await first
        kept = await ours.ask(station="ST-1")

    # The start that follows at the first station is what it was allowed.
    assert [allowed.answer, second.answer, kept.answer] == [ALLOWED, BLOCKED, ALLOWED]

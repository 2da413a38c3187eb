"""Whoever is killed in a handshake, and whenever: each side keeps a token that holds."""

from __future__ import annotations

import asyncio

import pytest

from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.registration import receiving, sending
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.sending import HandshakeFailedError, register, renew
from roaming_ocpi.registration.turns import HandshakeUnderWayError
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    registered,
    told,
    two_instances,
)


class KilledError(Exception):
    """A process that is no more, at this very place."""


async def killed(*_args: object, **_kwargs: object) -> None:
    raise KilledError


PLACES = ("before the call", "answer lost", "before it is kept")


async def test_a_kill_while_renewing_leaves_each_side_a_token_that_holds(
    database: str, other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        for place in PLACES:
            with monkeypatch.context() as kills:
                kill(kills, right, place)
                for _ in range(12):
                    with pytest.raises(KilledError):
                        await renew(right.ours, OURS, by="bob", told=told)
            for _ in range(2):
                held = [await left.holds(right), await right.holds(left)]
                assert held == [True, True], place
        await renew(right.ours, OURS, by="bob", told=told)
        await renew(left.ours, THEIRS, by="anna", told=told)
        assert [await left.holds(right), await right.holds(left)] == [True, True]
        for instance in (left, right):
            assert instance.rows("SELECT count(*) FROM roaming_token") == [(1,)]


def kill(kills: pytest.MonkeyPatch, instance: LinkingInstance, place: str) -> None:
    """Have *instance* killed at that place of a handshake that it begins."""
    asked = instance.client.ask

    async def lost(
        link: Link,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> PartnerAnswer:
        if method == "PUT" and place == "before the call":
            raise KilledError
        answer = await asked(link, method, url, body=body, timeout_s=timeout_s)
        if method == "PUT" and place == "answer lost":
            raise KilledError
        return answer

    kills.setattr(instance.client, "ask", lost)
    if place == "before it is kept":
        kills.setattr(sending, "conclude", killed)


@pytest.mark.parametrize("method", ["register", "renew"])
async def test_a_kill_of_who_is_asked_leaves_what_was(
    database: str, other_database: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        token = await left.invited(THEIRS)

        async def begin() -> None:
            await register(right.ours, OURS, token, left.versions_url, by="bob", told=told)

        if method == "renew":
            await begin()
        with monkeypatch.context() as kills:
            kills.setattr(receiving, "accept", killed)
            with pytest.raises(HandshakeFailedError, match="HTTP 500"):
                await (
                    begin()
                    if method == "register"
                    else renew(right.ours, OURS, by="bob", told=told)
                )
        if method == "register":
            await begin()
        assert [await left.holds(right), await right.holds(left)] == [True, True]


async def test_who_never_got_the_answer_may_register_again_for_a_while(
    database: str, other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        token = await left.invited(THEIRS)
        with monkeypatch.context() as kills:
            kills.setattr(sending, "conclude", killed)
            with pytest.raises(KilledError):
                await register(right.ours, OURS, token, left.versions_url, by="b", told=told)
        [(minutes,)] = left.rows(
            "SELECT extract(epoch FROM expires_at - now()) / 60 FROM roaming_token"
            " WHERE kind = 'invitation'"
        )
        assert 0 < minutes <= 5
        await register(right.ours, OURS, token, left.versions_url, by="bob", told=told)

        assert [await left.holds(right), await right.holds(left)] == [True, True]
        assert left.rows("SELECT count(*) FROM roaming_token") == [(1,)]


async def test_two_handshakes_at_once_come_to_one_link_that_holds(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        token = await left.invited(THEIRS)
        came = await asyncio.gather(
            *(
                register(right.ours, OURS, token, left.versions_url, by="bob", told=told)
                for _ in range(4)
            ),
            return_exceptions=True,
        )

        kinds = [type(each) for each in came]
        assert kinds.count(sending.Registered) == 1
        assert kinds.count(HandshakeUnderWayError) == 3
        assert [await left.holds(right), await right.holds(left)] == [True, True]
        for _ in range(5):  # both renew it at the same moment
            await asyncio.gather(
                renew(right.ours, OURS, by="bob", told=told),
                renew(left.ours, THEIRS, by="anna", told=told),
                return_exceptions=True,
            )
            assert [await left.holds(right), await right.holds(left)] == [True, True]

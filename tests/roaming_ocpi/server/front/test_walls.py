"""What holds a partner back is its own: buckets, lanes, and strangers counted by address."""

from __future__ import annotations

import asyncio

import pytest

from roaming_ocpi.server.calls import Caller
from roaming_ocpi.server.front.callers import FRESH_SECONDS, Callers, NobodyError
from roaming_ocpi.server.front.walls import (
    KEYS_MAX,
    Buckets,
    Lanes,
    TooBusyError,
    Walls,
    neighbourhood,
)

TNM = Caller("NL-TNM", frozenset({"NL-TNM"}), "DE-HBC")


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_a_burst_then_a_rate_to_each_key_alone() -> None:
    clock = Hands()
    buckets = Buckets(2.0, 3.0, clock=clock)

    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    clock.now = 0.5
    assert (buckets.take("a"), buckets.take("a")) == (0, 0.5)
    clock.now = 100.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_buckets_are_bounded_whoever_asks() -> None:
    buckets = Buckets(1.0, 1.0, clock=Hands())
    for key in range(KEYS_MAX + 10):
        buckets.take(key)

    assert len(buckets._levels) == KEYS_MAX  # noqa: SLF001 - memory is what is looked at


async def test_a_lane_lets_some_in_others_wait_and_more_are_sent_away() -> None:
    lanes, most, inside = Lanes(2, 3), 0, 0

    async def ask(partner: str) -> None:
        nonlocal most, inside
        async with lanes.enter(partner):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    answers = await asyncio.gather(*(ask("a") for _ in range(7)), return_exceptions=True)
    await ask("a")

    assert most == 2
    assert [type(each) for each in answers if each] == [TooBusyError, TooBusyError]
    assert not lanes._lanes  # noqa: SLF001 - nothing is left of who went


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "x", False),
    ],
)
def test_strangers_are_told_apart_by_address_and_in_ipv6_by_network(
    one: str,
    other: str,
    is_same: bool,  # noqa: FBT001 - what is to be true
) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is is_same


async def test_strangers_are_sent_away_before_they_cost_a_look_up_and_a_partner_beside_is_not() -> (
    None
):
    clock, asked = Hands(), list[str]()

    async def find(token: str) -> Caller | None:
        asked.append(token)
        return TNM if token == "right" else None

    callers = Callers(find, Walls(stranger_burst=3, stranger_rate=1), clock=clock)
    assert (await callers.caller("Token right", "192.0.2.1"))[0] == TNM
    refusals = []
    for number in range(10):
        with pytest.raises((NobodyError, TooBusyError)) as refused:
            await callers.caller(f"Token wrong-{number}", "192.0.2.1")
        refusals.append(type(refused.value))
    clock.now = FRESH_SECONDS * 1.1
    found, _ = await callers.caller("Token right", "192.0.2.1")
    with pytest.raises(NobodyError):
        await callers.caller("Token wrong", "192.0.2.2")

    assert refusals == [NobodyError] * 3 + [TooBusyError] * 7
    assert found == TNM
    assert asked == ["right", "wrong-0", "wrong-1", "wrong-2", "right", "wrong"]


async def test_a_token_that_was_revoked_holds_half_a_second_and_after_a_handshake_not_at_all() -> (
    None
):
    clock, found = Hands(), [TNM, None, TNM, None]

    async def find(_token: str) -> Caller | None:
        return found.pop(0)

    callers = Callers(find, Walls(), clock=clock)
    for _ in range(2):
        await callers.caller("Token right", "")
    clock.now = FRESH_SECONDS
    with pytest.raises(NobodyError):
        await callers.caller("Token right", "")
    await callers.caller("Token right", "")
    callers.forget()
    with pytest.raises(NobodyError):
        await callers.caller("Token right", "")
    assert found == []

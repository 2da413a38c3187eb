"""Turns: never more at once than there are, none lost, whoever gives up and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ingest.edge.guesses import FairTurns


class Queue:
    """Those who take turns, by name: who `has` one now, in the order in which they came to it."""

    def __init__(self, at_once: int) -> None:
        self._turns = FairTurns(at_once)
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.has: list[str] = []

    async def comes(self, name: str) -> None:
        """Let somebody of the address and identity "a-x" ask for a turn, and wait until he does."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._take(name))
        await settled()

    async def _take(self, name: str) -> None:
        address, identity, *_ = name.split("-")
        async with self._turns.turn(address, identity):
            self.has.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.has.remove(name)

    async def ends(self, name: str, *, before: Callable[[], object] = lambda: None) -> None:
        """Let who has a turn give it back; *before* the next one knows, do something."""
        self._ends[name].set()
        await asyncio.sleep(0)
        assert name not in self.has
        before()
        await settled()

    def cancel(self, name: str) -> None:
        """Let somebody give up."""
        self._tasks[name].cancel()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("at_once", [1, 2])
async def test_a_turn_that_is_given_back_is_one_turn(at_once: int) -> None:
    queue = Queue(at_once)
    for number in range(3):  # whoever is alone gives it back to nobody
        await queue.comes(f"a-x-{number}")
        await queue.ends(f"a-x-{number}")

    for number in range(3, 7):
        await queue.comes(f"a-x-{number}")

    assert len(queue.has) == at_once


async def test_who_gives_up_waiting_leaves_the_turn_where_it_is() -> None:
    queue = Queue(1)
    await queue.comes("a-x-1")
    await queue.comes("a-x-2")
    queue.cancel("a-x-2")
    await settled()
    await queue.comes("a-x-3")

    assert queue.has == ["a-x-1"]
    await queue.ends("a-x-1")
    assert queue.has == ["a-x-3"]
    await queue.ends("a-x-3")
    await queue.comes("a-x-4")
    await queue.comes("a-x-5")
    assert queue.has == ["a-x-4"]


async def test_who_gives_up_in_the_moment_of_his_turn_passes_it_on() -> None:
    queue = Queue(1)
    for name in ("a-x-1", "a-x-2", "b-x-3", "b-x-4"):
        await queue.comes(name)

    await queue.ends("a-x-1", before=lambda: queue.cancel("a-x-2"))
    assert queue.has == ["b-x-4"]
    await queue.ends("b-x-4", before=lambda: queue.cancel("b-x-3"))
    assert queue.has == []
    await queue.comes("a-x-5")
    await queue.comes("a-x-6")
    assert queue.has == ["a-x-5"]


@pytest.mark.parametrize(
    ("first", "second"), [("a-x", "b-x"), ("a-x", "a-y")], ids=["address", "identity"]
)
async def test_who_gave_up_and_comes_again_stands_behind_those_who_stayed(
    first: str, second: str
) -> None:
    queue = Queue(1)
    await queue.comes("c-z")
    await queue.comes(f"{first}-1")
    await queue.comes(f"{second}-2")
    queue.cancel(f"{first}-1")
    await settled()
    await queue.comes(f"{first}-3")

    await queue.ends("c-z")
    assert queue.has == [f"{second}-2"]
    await queue.ends(f"{second}-2")
    assert queue.has == [f"{first}-3"]


async def test_who_had_a_turn_stands_behind_the_others_with_what_else_he_asks() -> None:
    queue = Queue(1)
    for name in ("c-z", "a-x-1", "a-x-2", "a-y-3", "b-x-4", "b-x-5"):
        await queue.comes(name)
    had, now = [], "c-z"
    for _ in range(5):
        await queue.ends(now)
        [now] = queue.has
        had.append(now)

    assert had == ["a-x-2", "b-x-5", "a-y-3", "b-x-4", "a-x-1"]

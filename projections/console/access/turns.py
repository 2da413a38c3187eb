"""Passwords are looked at by few at a time, and nobody waits in a thread or with a connection.

Whoever floods the log-in so holds up those who come in, and no page of those who are in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from ledger.users.proving.passwords import BusyError
from projections.console.access.typed import AnyRequest

T = TypeVar("T")
AT_A_TIME: Final = 2
WAITING_MAX: Final = 40


class _Turns:
    """Who is looked at, and how many wait for that."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_A_TIME)
        self.waiting = 0


async def in_turn(request: AnyRequest, work: Callable[[], T], of: str = "passwords") -> T:
    """Do *work*, which looks at a password, in a thread when it is its turn.

    `of`: what waits for what: who asks a provider holds up nobody with a password.

    Raises:
        BusyError: If too many wait already.
    """
    turns: _Turns = request.app.state.setdefault(f"turns_of_{of}", _Turns())
    if turns.waiting >= WAITING_MAX:
        raise BusyError
    turns.waiting += 1
    try:
        async with turns.free:
            return await asyncio.to_thread(work)
    finally:
        turns.waiting -= 1

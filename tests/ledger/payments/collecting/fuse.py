"""A fuse that blows after so many steps: around each call of a provider, and around each commit.

Once it has blown nothing gets through any more, in any thread, as in a process that was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

import psycopg
from psycopg import Connection

from ledger.database import connect_options
from ledger.payments.provider import PaymentProvider


class KilledError(BaseException):
    """The process is gone."""


class Fuse:
    """Blows after *steps* of them; None: never. `taken` counts the steps."""

    def __init__(self, steps: int | None = None) -> None:
        self.steps, self.taken = steps, 0
        self._turn = Lock()

    @property
    def is_blown(self) -> bool:
        """Whether it has blown."""
        return self.steps is not None and self.taken > self.steps

    def step(self) -> None:
        """Go a step further, or no further."""
        with self._turn:
            self.taken += 1
            if self.is_blown:
                raise KilledError


class _FusedConnection(Connection[Any]):
    fuse: Fuse

    @contextmanager
    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,  # noqa: FBT001, FBT002 - as the library has it
    ) -> Iterator[psycopg.Transaction]:
        is_outermost = self.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as opened:
            yield opened
            if is_outermost:
                self.fuse.step()
        if is_outermost:
            self.fuse.step()


def connect_fused(dsn: str, fuse: Fuse) -> Connection[Any]:
    """Return a connection whose commits are steps."""
    options = connect_options(dsn)
    opened = _FusedConnection.connect(dsn, options=options, autocommit=True)
    opened.fuse = fuse
    return opened


class _FusedProvider:
    def __init__(self, provider: PaymentProvider, fuse: Fuse) -> None:
        self._provider, self._fuse = provider, fuse

    @property
    def name(self) -> str:
        return self._provider.name

    def __getattr__(self, name: str) -> Callable[..., object]:
        call = getattr(self._provider, name)

        def fused(*given: object, **named: object) -> object:
            self._fuse.step()
            answer = call(*given, **named)
            self._fuse.step()
            return answer

        return fused


def fused_provider(provider: PaymentProvider, fuse: Fuse) -> PaymentProvider:
    """Return *provider*, of which each call is two steps: before and after."""
    return cast("PaymentProvider", _FusedProvider(provider, fuse))

"""Who asks: the partner whose token stands in `Authorization: Token ...`.

How a token is spelt, plain or as Base64, is `find`'s matter, by the partner: nothing is guessed
here. What was found holds half a second, as in every process of ours; a token that was right lately
is looked up whatever else comes from its address, so that strangers behind one proxy with a partner
cannot lock it out.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from roaming_ocpi.server.calls import Caller, OcpiRefusedError
from roaming_ocpi.server.front.walls import KEYS_MAX, Buckets, TooBusyError, Walls, neighbourhood
from roaming_ocpi.wire.status import Status

FindCaller = Callable[[str], Awaitable[Caller | None]]
"""Returns whose token that is, as it came in the header; None: nobody's."""
ProveUse = Callable[[str], Awaitable[None]]
"""Is told that a token, as it came in the header, was used for the first time."""
FRESH_SECONDS: Final = 0.5
_SCHEME: Final = "token"
TOKEN_CHARACTERS_MAX: Final = 256
_MISSING: Final = "a token is wanted: Authorization: Token TOKEN"
_UNKNOWN: Final = "this token is of nobody, or holds no more"


class NobodyError(OcpiRefusedError):
    """No token came, or one of nobody."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            status=Status.CLIENT_ERROR,
            http=HTTPStatus.UNAUTHORIZED,
            headers={"WWW-Authenticate": "Token"},
        )


class Callers:
    """Finds out who asks, and holds back who asks without being somebody."""

    def __init__(
        self, find: FindCaller, walls: Walls, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find, self._clock = find, clock
        self._strangers = Buckets(walls.stranger_rate, walls.stranger_burst, clock=clock)
        self._found: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def caller(self, header: str, address: str) -> tuple[Caller, str]:
        """Return who sent *header* from *address*, and his token as it came.

        Raises:
            NobodyError: If he is none of our partners.
            TooBusyError: If too many such requests came from there.
        """
        scheme, _, token = header.strip().partition(" ")
        token = token.strip()
        where = neighbourhood(address)
        if scheme.lower() != _SCHEME or not token:
            raise self._stranger(where, _MISSING)
        if len(token) > TOKEN_CHARACTERS_MAX or not (token.isascii() and token.isprintable()):
            raise self._stranger(where, _UNKNOWN)
        # The digest finds what is remembered: no time that passes tells how much of it was right.
        digest = hashlib.sha256(token.encode()).digest()
        known = self._found.get(digest)
        if known is not None and self._clock() - known[1] < FRESH_SECONDS:
            return known[0], token
        if known is None and (wait := self._strangers.wait_of(where)) > 0:
            raise TooBusyError(_too_many(), wait)
        try:
            caller = await self._find(token)
        except OcpiRefusedError:  # somebody's, and not spelt as agreed
            self._strangers.take(where)
            raise
        if caller is None:
            self._found.pop(digest, None)
            raise self._stranger(where, _UNKNOWN)
        if caller.is_invited:
            # The next request may come when it is registered, which another process notes.
            return caller, token
        self._found[digest] = (caller, self._clock())
        self._found.move_to_end(digest)
        if len(self._found) > KEYS_MAX:
            self._found.popitem(last=False)
        return caller, token

    def forget(self) -> None:
        """Look everybody up anew: a token was given or taken."""
        self._found = OrderedDict(
            (digest, (caller, float("-inf"))) for digest, (caller, _) in self._found.items()
        )

    def _stranger(self, where: str, message: str) -> OcpiRefusedError:
        wait = self._strangers.take(where)
        return TooBusyError(_too_many(), wait) if wait > 0 else NobodyError(message)


def _too_many() -> str:
    return "too many requests without a token that holds came from your address: wait"

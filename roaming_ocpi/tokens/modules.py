"""The modules of this room, as they are offered."""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.receiver import TokensReceiver
from roaming_ocpi.tokens.sender import TokensSender


def tokens_modules(resources: Resources) -> Sequence[Module]:
    """Return what partners push, and what they ask of our drivers' tokens."""
    dsn = resources.database.conninfo
    assert isinstance(dsn, str), "the pool is opened with a connection string"
    book = TokenBook(dsn)
    return TokensReceiver(book, resources.told).module(), TokensSender(resources, book).module()

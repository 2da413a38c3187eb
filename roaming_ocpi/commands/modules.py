"""The modules of this room, as they are offered."""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.commands.receiver import CommandsReceiver
from roaming_ocpi.commands.sender import CommandsSender
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook


def commands_modules(resources: Resources) -> Sequence[Module]:
    """Return what partners command here, and where they tell what came of our commands."""
    dsn = resources.database.conninfo
    assert isinstance(dsn, str), "the pool is opened with a connection string"
    receiver = CommandsReceiver(resources, TokenBook(dsn), resources.station_calls)
    sender = CommandsSender(resources.database, resources.client, resources.address)
    return receiver.commands(), receiver.profiles(), sender.commands(), sender.profiles()

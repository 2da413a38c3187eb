"""Stopping transactions by calls to their stations, like everybody's: a row, and lines of the log.

The id of a call follows from the session and the attempt, so that whoever makes the same attempt
again, after a kill or in another process, asks what came of the first.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

import msgspec

from ingest.commands import typed
from ingest.commands.asking import Patience, StationCommands
from ingest.commands.command import CommandState
from ingest.prices.price import WantedStop

ANSWER_SECONDS: Final = 30.0
_OURS: Final = UUID("6c2f7a5e-6d1b-4f6e-9d0a-2b8f6f1f0c11")


class _Told(msgspec.Struct):
    status: str = ""


class CommandedStops:
    """Stops transactions with *commands*."""

    def __init__(self, commands: StationCommands) -> None:
        self._commands = commands

    async def stop(self, wanted: WantedStop) -> bool:
        """Have a transaction stopped; return whether its station said that it will.

        Raises:
            IngestError: If the station is not connected, or knows no such transaction.
        """
        call = typed.stop(wanted.protocol, transaction=wanted.transaction_ref)
        outcome = await self._commands.ask(
            wanted.station_id,
            call.action,
            msgspec.json.encode(call.payload).decode(),
            by=f"limit of {wanted.why}",
            # It stands as sent for some seconds after that: then what came of it is unknown.
            patience=Patience(wait=ANSWER_SECONDS + 5, answer=ANSWER_SECONDS),
            command_id=uuid5(_OURS, f"{wanted.session}\n{wanted.attempt}"),
        )
        if outcome.state is not CommandState.ANSWERED or outcome.response is None:
            return False
        try:
            return msgspec.json.decode(outcome.response, type=_Told).status == "Accepted"
        except msgspec.DecodeError:
            return False

"""An OCPP version as tables, and the way from a frame through them to facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ingest.facts.rpc_call import CALL, RpcCall, SetAside, call_of
from ingest.facts.told import Kinds, Telling, fact_of
from ledger.facts.station_facts import StationFact
from ledger.log.envelope import Frame

_PEEK: Final = 120
"""The characters in which a call's action stands when its message id has a normal length."""
Table = Mapping[str, Telling | Kinds]
"""What each action tells."""


class OcppVersion:
    """What the calls of a station tell (`calls`), and its answers to calls of ours (`answered`)."""

    def __init__(self, *, calls: Table, answered: Table | None = None) -> None:
        self._calls, self._answered = calls, answered or {}
        self._strict = [
            (f'"{action}"', action, telling.strict)
            for action, telling in calls.items()
            if telling.strict is not None
        ]

    def translate(self, frame: Frame, position: int, line: int) -> list[StationFact]:
        """Return the facts in *frame*, which stands at *position* and *line* of its partition.

        Total: a frame that breaks its schema gives what can be read.
        """
        text = frame.frame
        head = text[:_PEEK]
        if frame.direction != "in":
            if not any(f'"{action}"' in head for action in self._answered):
                return []
            call = call_of(text, frame.reply)
            # What we sent is never odd.
            return (
                []
                if isinstance(call, SetAside)
                else _facts(self._answered, call, frame, position, line)
            )
        # Most frames: one typed decode, and the lenient way for what breaks the schema.
        for quoted, action, strict in self._strict:
            if quoted in head:
                try:
                    kind, _, found, payload = strict.decoder.decode(text)
                except (msgspec.DecodeError, RecursionError, ValueError):
                    continue
                if kind == CALL and found == action:
                    return fact_of(strict.tell(payload, set()), frame, position, line)
        call = call_of(text, frame.reply)
        if isinstance(call, SetAside):
            return fact_of(call, frame, position, line)
        return _facts(self._calls, call, frame, position, line)


def _facts(
    table: Table, call: RpcCall, frame: Frame, position: int, line: int
) -> list[StationFact]:
    telling = table.get(call.action)
    # Billing has no use for most actions.
    return [] if telling is None else fact_of(telling.tell(call), frame, position, line)

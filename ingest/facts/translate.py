"""From a logged frame to facts: by the tables of its protocol version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from ingest.facts import ocpp16, ocpp21, ocpp201
from ingest.facts.lenient import Oddities
from ingest.facts.rpc_call import CALL, SetAside, call_of, says_twice
from ingest.facts.signed.ocmf import read_record
from ingest.facts.told import Table, fact_of
from ledger.facts.flags import Flag
from ledger.facts.station_facts import SessionFact, StationFact
from ledger.log.envelope import Frame, SignedRecord

_PEEK: Final = 120
"""The characters in which a call's action stands when its message id has a normal length."""
_SIGNED: Final = ("SignedData", "signedMeterValue", "\\u00")
"""What a frame with signed readings has in it, if only as an escape."""
_SAYS_NOTHING: Final = SignedRecord()


class OcppVersion:
    """What the calls of a station tell.

    And what our calls to it do, or its answers to them (`answered`), and our answers (`priced`).
    """

    def __init__(self, *, calls: Table, answered: Table, priced: Table) -> None:
        self._calls, self._answered, self._priced = calls, answered, priced
        self._strict = [
            (f'"{action}"', action, telling.strict)
            for action, telling in calls.items()
            if telling.strict is not None
        ]

    def translate(self, frame: Frame, *, position: int, line: int) -> list[StationFact]:
        """Return the facts in *frame*; one that breaks its schema gives what can be read."""
        text, table = frame.frame, self._calls
        if frame.direction != "in":
            table = self._answered
            if not any(f'"{action}"' in text[:_PEEK] for action in table):
                return []
        elif frame.is_priced:
            table = self._priced
        else:
            # Most frames: one typed decode, and the lenient way for what breaks the schema.
            head = text[:_PEEK]
            for quoted, action, strict in self._strict:
                if quoted in head:
                    try:
                        kind, _, found, payload = strict.decoder.decode(text)
                    except (msgspec.DecodeError, RecursionError, ValueError):
                        continue
                    if kind == CALL and found == action:
                        is_doubtful = strict.may_repeat(payload, text)
                        oddities = _repeats(text) if is_doubtful else set()
                        told = strict.tell(payload, oddities)
                        return fact_of(told, frame, position=position, line=line)
        call = call_of(text, frame.reply)
        if isinstance(call, SetAside):
            # What we sent is never odd.
            aside = SetAside(None) if table is self._answered else call
            return fact_of(aside, frame, position=position, line=line)
        telling = table.get(call.action)
        if telling is None:  # billing has no use for most actions
            return []
        call.oddities.update(_repeats(text))
        return fact_of(telling.tell(call), frame, position=position, line=line)


def signed_records(frame: Frame) -> tuple[SignedRecord, ...]:
    """Return what the signed readings of a *frame* say that nobody was cut out of, in their order.

    Never raises; nearly every frame has none, and is not read for that.
    """
    if not any(map(frame.frame.__contains__, _SIGNED)):
        return ()
    found = [
        read_record(each.text, each.context)
        for fact in translate(frame, position=0, line=0)
        if isinstance(fact, SessionFact)
        for each in fact.signed
    ]
    return tuple(found) if any(each != _SAYS_NOTHING for each in found) else ()


def _repeats(text: str) -> Oddities:
    return {Flag.SAID_TWICE} if says_twice(text) else set()


VERSIONS: Final[Mapping[str, OcppVersion]] = MappingProxyType(
    {
        "ocpp1.6": OcppVersion(calls=ocpp16.CALLS, answered=ocpp16.ANSWERED, priced={}),
        "ocpp2.0.1": OcppVersion(
            calls=ocpp201.CALLS, answered=ocpp201.ANSWERED, priced=ocpp201.PRICED
        ),
        "ocpp2.1": OcppVersion(
            calls=ocpp21.CALLS, answered=ocpp201.ANSWERED, priced=ocpp201.PRICED
        ),
    }
)


def translate(frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the facts in *frame*, which stands at *position* and *line* of its partition.

    Never raises: an unknown protocol sets the frame aside.
    """
    version = VERSIONS.get(frame.protocol)
    if version is None:
        return fact_of(SetAside("unknown_protocol"), frame, position=position, line=line)
    return version.translate(frame, position=position, line=line)

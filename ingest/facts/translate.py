"""From a logged frame to facts: the translator of its protocol version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ingest.facts import ocpp16, ocpp201
from ledger.facts.station_facts import FrameSetAside, StationFact
from ledger.log.envelope import Frame

TRANSLATORS: Final[Mapping[str, Callable[..., list[StationFact]]]] = MappingProxyType(
    {
        "ocpp1.6": ocpp16.translate,
        "ocpp2.0.1": ocpp201.translate,
    }
)


def translate(frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the facts in *frame*. Never raises: an unknown protocol sets the frame aside."""
    translator = TRANSLATORS.get(frame.protocol)
    if translator is None:
        return [
            FrameSetAside(
                station_id=frame.station,
                position=position,
                line=line,
                received_at=frame.received_at,
                reason="unknown_protocol",
            )
        ]
    return translator(frame, position=position, line=line)

"""From a logged frame to facts: by the tables of its protocol version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest.facts import ocpp16, ocpp201
from ingest.facts.rpc_call import SetAside
from ingest.facts.told import fact_of
from ingest.facts.version import OcppVersion
from ledger.facts.station_facts import StationFact
from ledger.log.envelope import Frame

VERSIONS: Final[Mapping[str, OcppVersion]] = MappingProxyType(
    {"ocpp1.6": ocpp16.VERSION, "ocpp2.0.1": ocpp201.VERSION}
)


def translate(frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the facts in *frame*. Never raises: an unknown protocol sets the frame aside."""
    version = VERSIONS.get(frame.protocol)
    if version is not None:
        return version.translate(frame, position, line)
    return fact_of(SetAside("unknown_protocol"), frame, position, line)

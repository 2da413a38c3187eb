"""Security events, which every version tells alike.

Source: OCPP 1.6 security whitepaper edition 2, 6.9; OCPP 2.0.1 part 2, A04.
"""

from __future__ import annotations

from typing import Final

from ingest.facts.lenient import read_time
from ingest.facts.parts import WORD_MAX, at, at_most
from ingest.facts.told import Telling
from ledger.facts.station_facts import SecurityEventTold

SECURITY_EVENT: Final = Telling(
    SecurityEventTold,
    {
        "event_type": at("type", at_most(WORD_MAX)),
        "occurred_at": at("timestamp", read_time),
    },
)

"""Facts as the table `fact` keeps them: JSON arrays (zones and digits stay), zstd-compressed."""

from __future__ import annotations

from typing import Any

import msgspec
import zstandard
from psycopg import Connection

from ledger.facts.station_facts import StationFact

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[list[StationFact]] = msgspec.json.Decoder(list[StationFact])


def pack_facts(facts: list[StationFact]) -> bytes:
    """Return *facts* as a row of the table `fact` holds them."""
    return zstandard.compress(_ENCODER.encode(facts), 1)


def unpack_facts(packed: bytes) -> list[StationFact]:
    """Return what `pack_facts` packed."""
    return _DECODER.decode(zstandard.decompress(packed))


def stored_facts(connection: Connection[Any], station_id: str) -> list[StationFact]:
    """Return every stored fact of *station_id*, in log order within each transaction."""
    rows = connection.execute(
        "SELECT facts FROM fact WHERE station_id = %s ORDER BY position", (station_id,)
    )
    return [fact for (packed,) in rows for fact in unpack_facts(packed)]

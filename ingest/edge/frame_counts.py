"""What a server counts of its stations' frames and connections, by protocol: never by station."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Since the start. The server's loop counts; any thread may look."""

    taken: Counter[str] = field(default_factory=Counter)
    """Frames that stations sent and that were looked at."""
    sent: Counter[str] = field(default_factory=Counter)
    """Answers and calls that went out."""
    opened: Counter[str] = field(default_factory=Counter)
    """Connections that became their station's newest."""
    told: Counter[str] = field(default_factory=Counter)
    """Prices that stations were told, by how (`ingest.prices.telling.HowTold`)."""

"""The root of everything that ingest raises."""

from __future__ import annotations


class IngestError(Exception):
    """Something at the edge towards charging stations went wrong."""


class StationGoneError(IngestError):
    """The station did not answer a call: its connection closed, or it took too long."""

    def __init__(self, station_id: str, action: str, why: str) -> None:
        super().__init__(f"{station_id} did not answer {action}: {why}")
        self.station_id, self.action, self.why = station_id, action, why

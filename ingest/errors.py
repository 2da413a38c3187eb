"""The root of everything that ingest raises."""

from __future__ import annotations


class IngestError(Exception):
    """Something at the edge towards charging stations went wrong."""

"""The root of everything that read models raise."""

from __future__ import annotations


class ProjectionError(Exception):
    """A question about the books cannot be answered."""

"""The root of everything that the roaming side raises."""

from __future__ import annotations


class RoamingError(Exception):
    """Something towards a roaming partner went wrong, or a file of theirs cannot be read."""

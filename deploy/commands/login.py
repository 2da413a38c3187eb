"""Who works here: the name that stands beside a declaration or a decision."""

from __future__ import annotations

import getpass


def login() -> str:
    """Return the name under which this person works on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"

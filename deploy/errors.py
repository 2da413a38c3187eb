"""The root of what `deploy` refuses: every such error is shown as one sentence, no traceback."""

from __future__ import annotations


class DeployError(Exception):
    """Something about the set-up that a person can change; the message says what."""

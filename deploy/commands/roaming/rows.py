"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

_MODULE: Final = "deploy.commands.roaming"

ROAMING_COMMANDS: Final = (
    Command(
        words="partner retry",
        function=f"{_MODULE}.outbox:retry",
        summary="Send a partner again what it refused, or did not take yet, at once.",
        examples=(
            "partner retry NL-TNM",
            "partner retry NL-TNM --only session --only HB-07-4qk2m7x5c3n6a9w8e1r0",
            "partner retry NL-TNM --from 2026-03-01",
        ),
    ),
    Command(
        words="cdr send",
        function=f"{_MODULE}.outbox:send",
        summary="Send CDRs to their partner at once: single ones, or all that it has not got.",
        examples=(
            "cdr send HB-07-4qk2m7x5c3n6a9w8e1r0",
            "cdr send --party NL-TNM",
        ),
    ),
)

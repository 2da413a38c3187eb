"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

VISIT_COMMANDS: Final = (
    Command(
        words="visits list",
        function="deploy.commands.visits.visits:listed",
        summary="List visits, the newest first: drivers who pay by card for one session.",
        examples=("visits list", "visits list --state charging --json"),
    ),
    Command(
        words="visits show",
        function="deploy.commands.visits.visits:show",
        summary="Show a visit: each step, what is held and taken, its sessions and its receipt.",
        examples=("visits show 12", "visits show 12 --json"),
    ),
    Command(
        words="visits start",
        function="deploy.commands.visits.visits:start",
        summary="Open a visit with a test card, and wait until its station was told to start.",
        examples=(
            "visits start HB-07 --evse 1",
            "visits start HB-07 --evse 1 --method pm_card_chargeDeclined",
        ),
    ),
    Command(
        words="station simulate",
        function="deploy.commands.visits.simulating:simulate",
        summary="Be a station that charges when it is told to start, until Ctrl-C ends it.",
        examples=("station simulate CS-001 --password change-me-please-16 --kwh 2",),
    ),
    Command(
        words="visits release",
        function="deploy.commands.visits.visits:release",
        summary="Let go of what is held for a visit; what it owes by then stays open.",
        examples=("visits release 12 --reason 'station broke down' --by anna",),
    ),
)

"""The commands about bank statements and reminders as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

BANK_COMMANDS: Final = (
    Command(
        words="payments import",
        function="deploy.commands.payments.statements:import_statements",
        summary=(
            "Import bank statements (camt.053, CSV): book each line once, match those that are "
            "sure."
        ),
        examples=(
            "payments import 2026-03-31.xml",
            "payments import march.csv --layout bank.yaml",
        ),
    ),
    Command(
        words="payments unmatched",
        function="deploy.commands.payments.matching:unmatched",
        summary="List the lines of bank statements that wait for a decision, the oldest first.",
        examples=("payments unmatched", "payments unmatched --json"),
    ),
    Command(
        words="payments match",
        function="deploy.commands.payments.matching:match",
        summary=(
            "Say what a line of a bank statement is for; above an amount two persons say the same."
        ),
        examples=(
            "payments match 20260331-0123456789abcdef HC-2026-000001",
            "payments match 20260331-0123456789abcdef HC-2026-000001:12.50 --balance ada",
            "payments match 20260331-0123456789abcdef --account fees:bank",
        ),
    ),
    Command(
        words="payments unmatch",
        function="deploy.commands.payments.matching:unmatch",
        summary="Take back all that a line was matched with: it waits for a decision again.",
        examples=("payments unmatch 20260331-0123456789abcdef",),
    ),
    Command(
        words="payments return",
        function="deploy.commands.payments.matching:give_back",
        summary="Say that what waits of a line is to be sent back to its payer.",
        examples=("payments return 20260331-0123456789abcdef",),
    ),
    Command(
        words="payments reminders",
        function="deploy.commands.payments.reminders:reminders",
        summary="List who was reminded of which invoice, and by which way, the newest first.",
        examples=("payments reminders", "payments reminders --open --json"),
    ),
)

"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

PAYOUT_COMMANDS: Final = (
    Command(
        words="payouts list",
        function="deploy.commands.payouts.listing:listed",
        summary="List payouts, the newest first: what each consists of, and what the bank had.",
        examples=(
            "payouts",
            "payouts list --from 2026-03-01 --to 2026-04-01 --json",
            "payouts --check",
        ),
    ),
    Command(
        words="payouts show",
        function="deploy.commands.payouts.listing:show",
        summary="Show a payout line by line, each with the movement of ours behind it.",
        examples=("payouts show po_1Pq", "payouts show po_1Pq --json"),
    ),
    Command(
        words="payouts unmatched",
        function="deploy.commands.payouts.explaining:unmatched",
        summary="List money at a payment provider that nothing of ours explains, the oldest first.",
        examples=("payouts unmatched", "payouts unmatched --json"),
    ),
    Command(
        words="payouts match",
        function="deploy.commands.payouts.explaining:match",
        summary="Say what money at a provider was for; above an amount two persons say the same.",
        examples=(
            "payouts match 17 HC-2026-000001",
            "payouts match 18 --account costs:disputes --amount 12.50 --by anna",
        ),
    ),
    Command(
        words="payments disputes",
        function="deploy.commands.payouts.disputes:disputes",
        summary="List disputes, the newest first: what payers' banks took back, and what to do.",
        examples=("payments disputes --open", "payments disputes --json"),
    ),
)

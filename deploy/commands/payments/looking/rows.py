"""The commands that look at money, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

LOOKING_COMMANDS: Final = (
    Command(
        words="payments list",
        function="deploy.commands.payments.looking.listing:listed",
        summary="List movements of money, the newest first, each with what it was for.",
        examples=(
            "payments list --customer ada",
            "payments list --kind refunded --from 2026-03-01 --to 2026-04-01",
            "payments list --source bank --unmatched --json",
        ),
    ),
    Command(
        words="payments show",
        function="deploy.commands.payments.looking.showing:show",
        summary="Show a movement, or all of a document's: postings, what asked for it, its payout.",
        examples=(
            "payments show 17",
            "payments show pi_3Pq",
            "payments show HC-2026-000001 --json",
        ),
    ),
    Command(
        words="payments open",
        function="deploy.commands.payments.looking.opening:open_documents",
        summary=(
            "List what is still to be paid, now or at the end of a day, held against the books."
        ),
        examples=(
            "payments open",
            "payments open --customer ada",
            "payments open --as-of 2026-03-31 --json",
        ),
    ),
)

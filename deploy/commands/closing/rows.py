"""The commands of closing the books, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

CLOSING_COMMANDS: Final = (
    Command(
        words="numbers",
        function="deploy.commands.closing.numbers:numbers",
        summary="Show the number series of documents, and every gap in them.",
        examples=("numbers", "numbers --json"),
    ),
    Command(
        words="period list",
        function="deploy.commands.closing.showing:listed",
        summary="List the months of the books: which are open, and who closed the others.",
        examples=("period list", "period list --legal-entity depot --json"),
    ),
    Command(
        words="period check",
        function="deploy.commands.closing.showing:check",
        summary="Show what is left to do before a month is closed.",
        examples=(
            "period check 2026-03",
            "period check 2026-03 --without-replay --json",
        ),
    ),
    Command(
        words="period soft-close",
        function="deploy.commands.closing.acting:soft_close",
        summary="Let a month take no more entries: what is decided from now on goes to the next.",
        examples=("period soft-close 2026-03", "period soft-close 2026-03 --by anna"),
    ),
    Command(
        words="period sign-off",
        function="deploy.commands.closing.acting:sign_off",
        summary="Let something on a month's checklist be as it is.",
        examples=(
            'period sign-off 2026-03 held --by bert --reason "the meter is being exchanged"',
            'period sign-off 2026-03 replay --without-replay --reason "ran over night"',
        ),
    ),
    Command(
        words="period close",
        function="deploy.commands.closing.acting:close",
        summary="Close a month for good, once its checklist is empty or signed off.",
        examples=("period close 2026-03 --by bert", "period close 2026-03 --json"),
    ),
    Command(
        words="period reopen",
        function="deploy.commands.closing.acting:reopen",
        summary="Open a month again; one that is closed for good, two people open.",
        examples=(
            'period reopen 2026-03 --reason "an invoice is missing"',
            'period reopen 2026-03 --refuse --reason "it goes into April"',
        ),
    ),
    Command(
        words="period show",
        function="deploy.commands.closing.showing:show",
        summary="Show what was kept of a closed month, and what came afterwards.",
        examples=("period show 2026-03", "period show 2026-03 --json"),
    ),
)

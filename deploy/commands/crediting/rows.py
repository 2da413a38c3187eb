"""The commands about what is given back, contested, and attested."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

CREDITING_COMMANDS: Final = (
    Command(
        words="credit",
        function="deploy.commands.crediting.credit:credit",
        summary=(
            "Give an invoice, or one line of it, back: it is credited, and stays free whatever "
            "comes late."
        ),
        examples=(
            "credit WL-2026-000017 --line 3 --reason 'the barrier was down' --preview",
            "credit WL-2026-000017 --reason goodwill --by anna",
            "credit WL-2026-000017 --withdraw --reason 'the wrong invoice'",
        ),
    ),
    Command(
        words="dispute",
        function="deploy.commands.crediting.dispute:dispute",
        summary="Note that the payer of an invoice or session contests it, or decide about that.",
        examples=(
            "dispute WL-2026-000017 --line 3 --reason 'says the car was gone'",
            "dispute WL-2026-000017 --line 3 --resolve uphold --reason 'the camera shows it'",
        ),
    ),
    Command(
        words="sessions attest",
        function="deploy.commands.books.sessions:attest",
        summary=(
            "Say when a session ended, and what its register showed then: it is priced by that."
        ),
        examples=(
            "sessions attest HB-07/812/20260331T103000Z --register-kwh 5061.2 --reason 'a photo'",
            "sessions attest HB-07/8/20260331T103000Z --ended-at 2026-03-31T14:05+02:00 --reason x",
        ),
    ),
    Command(
        words="sessions withdraw",
        function="deploy.commands.books.sessions:withdraw",
        summary="Take back what one person proposed about a session and no other agreed to yet.",
        examples=("sessions withdraw HB-07/812/20260331T103000Z --reason 'the wrong session'",),
    ),
)

"""The commands by which a provider is asked for money, or gives it back, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

COLLECTING_COMMANDS: Final = (
    Command(
        words="payments method",
        function="deploy.commands.payments.collecting:method",
        summary="Ask a customer for leave to be charged while away: by card, or direct debit.",
        examples=(
            "payments method ada",
            "payments method ada --method pm_card_visa",
            "payments method ada --way sepa_debit",
        ),
    ),
    Command(
        words="payments collect",
        function="deploy.commands.payments.collecting:collect",
        summary="Collect an invoice now, whatever its day, by what its customer gave leave for.",
        examples=("payments collect HC-2026-000001 --by anna",),
    ),
    Command(
        words="payments refund",
        function="deploy.commands.payments.collecting:refund",
        summary=(
            "Give back what was paid too much for an invoice; above an amount two persons say so."
        ),
        examples=(
            "payments refund HC-2026-000001 --by anna",
            "payments refund HC-2026-000001 --amount 12.50",
        ),
    ),
    Command(
        words="payments withdraw",
        function="deploy.commands.payments.withdrawing:withdraw",
        summary="Take back what one person proposed about money and no other agreed to yet.",
        examples=(
            "payments withdraw line 20260331-0123456789abcdef --reason 'the other invoice'",
            "payments withdraw refund HC-2026-000001 --reason 'sent by hand'",
            "payments withdraw pay-back T-7 --customer ada --reason 'she stays'",
        ),
    ),
)

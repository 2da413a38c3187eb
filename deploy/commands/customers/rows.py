"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

CUSTOMER_COMMANDS: Final = (
    Command(
        words="prepaid top-up",
        function="deploy.commands.customers.prepaid:top_up",
        summary=(
            "Record that a customer paid in advance; invoices are settled from it as they are "
            "booked."
        ),
        examples=("prepaid top-up ada 50 --currency EUR --reference 2026-03-02/4711",),
    ),
    Command(
        words="prepaid pay-back",
        function="deploy.commands.customers.prepaid:pay_back",
        summary=(
            "Record that a customer was paid back, or never paid, what was recorded as paid in "
            "advance."
        ),
        examples=("prepaid pay-back ada 12.50 --currency EUR --reference 2026-04-01/17",),
    ),
    Command(
        words="prepaid charge",
        function="deploy.commands.customers.prepaid:charge",
        summary="Have an amount taken from a customer's card or account on file, into the balance.",
        examples=("prepaid charge ada 50 --currency EUR --reference desk/17",),
    ),
    Command(
        words="prepaid refund",
        function="deploy.commands.customers.prepaid:refund",
        summary="Have some of what is left given back to the card or account that it came from.",
        examples=("prepaid refund ada 12.50 --currency EUR --reference desk/18",),
    ),
    Command(
        words="prepaid show",
        function="deploy.commands.customers.prepaid:show",
        summary="Show what a customer has left of what was paid in advance, and what moved it.",
        examples=("prepaid show ada", "prepaid show ada --json"),
    ),
)

"""The commands of this room as data: each part of it adds its own rows."""

from __future__ import annotations

from typing import Final

from deploy.commands.payments.bank_rows import BANK_COMMANDS
from deploy.commands.payments.collecting_rows import COLLECTING_COMMANDS
from deploy.commands.payments.looking.rows import LOOKING_COMMANDS

PAYMENT_COMMANDS: Final = (
    *LOOKING_COMMANDS,
    *COLLECTING_COMMANDS,
    *BANK_COMMANDS,
)

"""The commands about roaming partners and CDRs."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

ROAMING_COMMANDS: Final = (
    Command(
        words="cdr received",
        function="deploy.commands.roaming.received:received",
        summary="List the CDRs that partners told us of, the newest first, or show one.",
        examples=("cdr received --verdict disputed", "cdr received C-812 --party NL-TNM"),
    ),
    Command(
        words="cdr accept",
        function="deploy.commands.roaming.received:accept",
        summary="Let a partner's CDR be paid, whatever was found at it.",
        examples=("cdr accept C-812 --reason 'the tariff was agreed by mail' --by anna",),
    ),
    Command(
        words="cdr dispute",
        function="deploy.commands.roaming.received:dispute",
        summary=(
            "Do not pay a partner's CDR: it is left out of what is settled until it is accepted."
        ),
        examples=("cdr dispute C-812 --party NL-TNM --reason 'the car was elsewhere'",),
    ),
    Command(
        words="cdr judge-again",
        function="deploy.commands.roaming.received:judge_again",
        summary=(
            "Judge all CDRs of partners again, from the log, and compare: exits 1 if anything "
            "differs."
        ),
        examples=("cdr judge-again", "cdr judge-again --json"),
    ),
)

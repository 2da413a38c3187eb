"""Which permission each command asks for, where there are accounts.

Each command stands in one of three tables, which a test holds: those that change something with
what they need, those that only read, and those that run the system and belong to the machine's
operator, who has its files anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from deploy.commands.catalogue import COMMANDS
from ledger.users.roles import Permission

NEEDS: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        words: permission
        for permission, group in (
            (Permission.DECLARE, ("apply", "person erase")),
            (
                Permission.CHANGE_TARIFFS,
                ("tariff publish", "tariff approve", "tariff reject", "tariff retire"),
            ),
            (
                Permission.DECIDE_SESSIONS,
                (
                    "correct",
                    "log take-again",
                    "sessions correct",
                    "sessions attest",
                    "sessions release",
                    "sessions take-back",
                    "sessions validate",
                    "sessions withdraw",
                    "sessions write-off",
                ),
            ),
            (Permission.CREDIT, ("credit", "dispute", "documents retry")),
            (
                Permission.MOVE_MONEY,
                (
                    "payments collect",
                    "payments import",
                    "payments match",
                    "payments method",
                    "payments refund",
                    "payments return",
                    "payments unmatch",
                    "payments withdraw",
                    "payouts match",
                    "prepaid charge",
                    "prepaid pay-back",
                    "prepaid refund",
                    "prepaid top-up",
                    "visits release",
                ),
            ),
            (
                Permission.CLOSE_MONTHS,
                ("period close", "period reopen", "period sign-off", "period soft-close"),
            ),
            (
                Permission.SETTLE,
                (
                    "cdr accept",
                    "cdr dispute",
                    "cdr judge-again",
                    "cdr send",
                    "partner add",
                    "partner cancel",
                    "partner contest",
                    "partner pause",
                    "partner register",
                    "partner reserve",
                    "partner resume",
                    "partner retry",
                    "partner revoke",
                    "partner settle",
                    "partner start",
                    "partner stop",
                    "partner unlock",
                ),
            ),
            (
                Permission.COMMAND_STATIONS,
                (
                    "firmware add",
                    "firmware campaign cancel",
                    "firmware campaign create",
                    "firmware campaign pause",
                    "firmware campaign resume",
                    "firmware remove",
                    "station availability",
                    "station cancel-reservation",
                    "station certificate delete",
                    "station certificate install",
                    "station certificate list",
                    "station change",
                    "station charging-profile",
                    "station clear-charging-profile",
                    "station command",
                    "station data-transfer",
                    "station display clear",
                    "station display list",
                    "station display show",
                    "station firmware",
                    "station get",
                    "station local-list send",
                    "station logs",
                    "station password",
                    "station reserve",
                    "station reset",
                    "station set",
                    "station start",
                    "station stop",
                    "station tariff change",
                    "station tariff clear",
                    "station tariff get",
                    "station tariff set",
                    "station trigger",
                    "station unlock",
                    "visits start",
                ),
            ),
            (
                Permission.GIVE_ACCESS,
                (
                    "access add",
                    "access revoke",
                    "user add",
                    "user block",
                    "user grant",
                    "user invite",
                    "user link",
                    "user require-factor",
                    "user unblock",
                ),
            ),
        )
        for words in group
    }
)
READS: Final = frozenset(
    {
        "access list",
        "balance",
        "cdr check",
        "cdr list",
        "cdr received",
        "cdr show",
        "documents check",
        "documents list",
        "events schema",
        "explain",
        "firmware campaign list",
        "firmware campaign show",
        "firmware list",
        "invoice html",
        "invoice pdf",
        "invoice show",
        "invoice ubl",
        "invoice xml",
        "invoices",
        "journal",
        "leakage",
        "log export",
        "log set-aside",
        "log show",
        "numbers",
        "partner audit",
        "partner list",
        "partner reconcile",
        "partner show",
        "payment",
        "payments disputes",
        "payments list",
        "payments open",
        "payments reminders",
        "payments show",
        "payments unmatched",
        "payouts list",
        "payouts show",
        "payouts unmatched",
        "period check",
        "period list",
        "period show",
        "person show",
        "prepaid show",
        "price",
        "replay",
        "sessions held",
        "sessions list",
        "statement",
        "station files",
        "station list",
        "station local-list show",
        "station refused",
        "station show",
        "tariff calendar",
        "tariff diff",
        "tariff explain",
        "tariff export",
        "tariff import",
        "tariff lint",
        "tariff schema",
        "tariff simulate",
        "tariff versions",
        "tokens unknown",
        "user changes",
        "user list",
        "visits list",
        "visits show",
    }
)
RUNS: Final = frozenset(
    {
        "demo",
        "kafka check",
        "kafka init",
        "kafka local",
        "log copy",
        "login",
        "logout",
        "run console",
        "run documents",
        "run interface",
        "run invoicing",
        "run payments",
        "run projections",
        "run roaming",
        "run stations",
        "run worker",
        "station simulate",
        "up",
    }
)
"""What belongs to the machine's operator; coming in and going out too."""


def permission_for(function: Callable[..., Any]) -> Permission | None:
    """Return what the command that *function* is asks for, None where it changes nothing."""
    words = _words().get(f"{function.__module__}:{function.__name__}")
    return None if words is None else NEEDS.get(words)


@cache
def _words() -> Mapping[str, str]:
    return {command.function: command.words for command in COMMANDS}

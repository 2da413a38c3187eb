"""The commands of settling as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

SETTLING_COMMANDS: Final = (
    Command(
        words="partner audit",
        function="deploy.commands.roaming.comparing:audit",
        summary=(
            "Compare our CDRs of a period with a partner's list: what is missing, what differs."
        ),
        examples=(
            "partner audit NL-TNM --from 2026-03-01 --to 2026-04-01 --write ours.csv",
            "partner audit NL-TNM --from 2026-03-01 --to 2026-04-01 --theirs tnm.csv --json",
            "partner audit NL-TNM --from 2026-03-01 --to 2026-04-01 --pull",
        ),
    ),
    Command(
        words="partner settle",
        function="deploy.commands.roaming.settling:settle",
        summary=(
            "Settle a month with a partner: CDRs of both, credits, fees, one tax, one amount due."
        ),
        examples=(
            "partner settle NL-TNM --month 2026-03",
            "partner settle NL-TNM --month 2026-03 --propose --by anna --pdf march.pdf",
            "partner settle NL-TNM --month 2026-03 --agree --by anna --csv march.csv",
        ),
    ),
    Command(
        words="partner contest",
        function="deploy.commands.roaming.settling:contest",
        summary=(
            "Record that a partner does not pay a CDR of ours; until that is decided it is not "
            "settled."
        ),
        examples=(
            "partner contest NL-TNM 4f1c-77 --reason 'they have no such session'",
            "partner contest NL-TNM 4f1c-77 --withdrawn --reason 'found it'",
        ),
    ),
    Command(
        words="partner reconcile",
        function="deploy.commands.roaming.comparing:reconcile",
        summary="Hold a partner's invoice against the CDRs that we have of it, line by line.",
        examples=(
            "partner reconcile NL-TNM invoice.csv --month 2026-03 --total 1204.50",
            "partner reconcile NL-TNM --record TNM-2026-77 --month 2026-03 --json",
        ),
    ),
)

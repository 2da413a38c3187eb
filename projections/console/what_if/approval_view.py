"""How far a version is on its way to hold: to be proposed, waiting, or decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.approvals.record import TariffRecord, TariffState
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.drafting.places import places_of
from ledger.desk.drafting.variance import VarianceFinding, findings_of, variances_of
from ledger.four_eyes import is_same_person
from projections.console.links import tariff_link
from projections.console.page import ConsolePage
from projections.console.what_if.seen import may_change, records_of


class ApprovalView(NamedTuple):
    """What a person sees of it, and what they may do: propose, approve or reject.

    `record` is the newest of the version; None: nobody proposed it yet. `findings`: why who
    approves it has to give a reason, by the policy's gate where it `has_gate`. `zones` are those of
    the sites where the tariff prices sessions, the first one chosen; `day` the first of next month.
    `decided_at`: of a record that assigns the tariff, too, its own page, where that is read.
    """

    record: TariffRecord | None
    may_propose: bool
    may_approve: bool
    may_reject: bool
    is_own: bool
    has_gate: bool
    findings: Sequence[VarianceFinding]
    zones: Sequence[tuple[str, str]]
    day: str
    decided_at: str


def approval_view(
    page: ConsolePage, connection: Connection[Any], tariff_id: str, version: str
) -> ApprovalView:
    """Return how far a version of a tariff is."""
    records = records_of(page, version)
    record = records[0] if records else None
    may = may_change(page, connection, tariff_id)
    is_pending = record is not None and record.state == TariffState.PROPOSED.value
    is_own = record is not None and is_same_person(record.asked_by, page.user.name)
    assigns = record is not None and bool(record.assigned)
    known = page.console.newest.of(connection)
    policy = known.policy(page.now)
    return ApprovalView(
        record=record,
        may_propose=may and not is_pending,
        may_approve=may and is_pending and not is_own and not assigns,
        may_reject=may and is_pending and not assigns,
        is_own=is_own,
        has_gate=policy.variance_percent is not None or policy.variance_session is not None,
        findings=findings_of(policy, variances_of(connection, version), assigns=assigns),
        zones=[(zone, zone) for zone in zones_of(known, tariff_id, page.now)],
        day=f"{_first_of_next_month(page.now):%Y-%m-%d}",
        decided_at=f"{tariff_link(tariff_id)}#waiting" if assigns and is_pending else "",
    )


def zones_of(known: Declarations, tariff_id: str, at: datetime) -> Sequence[str]:
    """Return the time zones in which a tariff's first day may be said, the likeliest first."""
    own = sorted({site for _, site in places_of(known, tariff_id).sites})
    others = [each for each in known.keys(Kind.SITE) if each not in own]
    found = [known.site(each, at) for each in (*own, *others)]
    return [*dict.fromkeys([*(each.time_zone for each in found if each), "UTC"])]


def _first_of_next_month(now: datetime) -> datetime:
    first = now.astimezone(UTC).replace(day=1)
    return (first + timedelta(days=31)).replace(day=1)

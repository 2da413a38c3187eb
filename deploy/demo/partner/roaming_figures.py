"""What became of the demo's roaming: what was sent, judged and settled, and what both sides say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from deploy.demo.partner.instance import OURS, partner_dsn, partner_settings
from deploy.demo.partner.settling import SettlingSide, settling_sides
from deploy.postgres import migrate
from deploy.running.log_store import open_event_log
from deploy.settings import Settings
from ledger.database import dsn_of
from projections.balances.trial import trial_balance
from roaming_ocpi.incoming.rechecking import RecheckReport, judge_all_again
from roaming_ocpi.settlement.completeness.comparing import CompletenessReport, their_list
from roaming_ocpi.settlement.completeness.list_files import LineProblems, csv_list, read_lines
from roaming_ocpi.settlement.completeness.listed_cdr import listed_cdr
from roaming_ocpi.settlement.completeness.our_list import ComparedPeriod, our_list

_SENT: LiteralString = """
SELECT count(DISTINCT session_id), count(arrived.subject), count(*) - count(arrived.subject)
FROM roaming_cdr AS cdr LEFT JOIN (
    SELECT DISTINCT party, kind, subject FROM outgoing_attempt
    WHERE came_of_it IN ('delivered', 'known')
) AS arrived ON (arrived.party, arrived.kind, arrived.subject)
    = (cdr.party, cdr.kind, cdr.cdr_id)
"""
_JUDGED: LiteralString = """
SELECT count(*) FILTER (WHERE verdict = 'accepted'), count(*) FILTER (WHERE codes <> '[]'),
    count(*) FILTER (WHERE credited_by IS NOT NULL)
FROM partner_cdr
"""


class Roaming(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of the partner's drivers, and their CDRs: credits are counted with them.

    `cdrs_noted`: those of which the partner's audit noted anything at all. The month as it was
    settled: `net` is what the partner owes before taxes, the differences are between the two sides.
    `list_differences`: of their completeness audits, both ways. `judged_again`: how many CDRs the
    partner's audit judged once more from its log, of which `judged_otherwise` came out otherwise.
    """

    sessions: int
    cdrs_sent: int
    cdrs_unsent: int
    cdrs_accepted: int
    cdrs_noted: int
    cdrs_credited: int
    settlement: str
    settlement_of_partner: str
    net: Decimal
    currency: str
    energy_wh: Decimal
    settlement_difference_minor: int
    energy_difference_wh: Decimal
    list_differences: int
    trial_balance_difference_minor: int
    judged_again: int
    judged_otherwise: int


def find_roaming(connection: Connection[Any], settings: Settings, last_day: date) -> Roaming:
    """Read both sides' databases, let each compare the other's list, and judge all CDRs again.

    Args:
        connection: To the demo's own database.
        settings: The demo's own.
        last_day: Of the month that was settled.
    """
    dsn = partner_dsn(connection)
    with ExitStack() as exits:
        month = f"{last_day:%Y-%m}"
        ours, theirs = settling_sides(exits, dsn_of(connection), dsn, month)
        sent, received = ours.standing(), theirs.standing()
        settled, taken = sent.settlement.sent, received.settlement.received
        reports = _audits(ours, theirs, settings.data / "roaming", last_day)
        again = _judged_again(dsn, partner_settings(settings, dsn))
        sessions, arrived, unsent = _row(connection, _SENT)
        accepted, noted, credited = _row(theirs.connection, _JUDGED)
        trial = trial_balance(theirs.connection).difference_minor
        return Roaming(
            sessions=sessions,
            cdrs_sent=arrived,
            cdrs_unsent=unsent,
            cdrs_accepted=accepted,
            cdrs_noted=noted,
            cdrs_credited=credited,
            settlement=sent.record.number,
            settlement_of_partner=received.record.number,
            net=Decimal(settled.net_minor).scaleb(-2),
            currency=ours.scope.currency,
            energy_wh=settled.energy_wh,
            settlement_difference_minor=abs(settled.net_minor - taken.net_minor)
            + abs(sent.settlement.due_minor + received.settlement.due_minor),
            energy_difference_wh=abs(settled.energy_wh - taken.energy_wh),
            list_differences=sum(_differences(each) for each in reports),
            trial_balance_difference_minor=sum(map(abs, trial.values())),
            judged_again=again.compared,
            judged_otherwise=len(again.different),
        )


def roaming_problems(found: Roaming) -> Iterator[tuple[str, bool]]:
    """Yield sentences about what may be wrong with roaming, and whether it is right."""
    judged = f"{found.cdrs_sent} CDRs were sent, {found.cdrs_accepted} accepted"
    yield (
        f"{judged}, {found.cdrs_noted} noted",
        (found.cdrs_sent == found.cdrs_accepted > found.cdrs_credited and found.cdrs_noted == 0),
    )
    yield f"{found.cdrs_unsent} CDRs wait for the partner", found.cdrs_unsent == 0
    yield "a late stop must credit and replace one CDR", found.cdrs_credited == 1
    minor, wh = found.settlement_difference_minor, found.energy_difference_wh
    yield f"the settlements differ by {minor} minor units and {wh} Wh", minor == 0 == wh
    yield (
        "the month is not settled on both sides",
        (bool(found.settlement and found.settlement_of_partner) and found.net > 0),
    )
    yield f"the lists of both sides differ by {found.list_differences}", found.list_differences == 0
    trial_minor = found.trial_balance_difference_minor
    yield f"the partner's trial balance is off by {trial_minor}", trial_minor == 0
    yield (
        f"{found.judged_otherwise} of {found.judged_again} CDRs are judged otherwise again",
        (found.judged_otherwise == 0 and found.judged_again == found.cdrs_accepted),
    )


def _audits(
    ours: SettlingSide, theirs: SettlingSide, folder: Path, last_day: date
) -> list[CompletenessReport]:
    """Let both sides write their lists to *folder*, and each compare the other's with its own."""
    first, after = last_day.replace(day=1), last_day + timedelta(days=1)
    starts_at, ends_at = (datetime.combine(day, time(), UTC) for day in (first, after))
    folder.mkdir(exist_ok=True)
    periods = {}
    for side in (ours, theirs):
        scope = side.scope
        issuers = {scope.legal_entity: side.party}
        periods[side.party] = ComparedPeriod(scope.party, starts_at, ends_at, issuers)
        lines = csv_list(our_list(side.connection, periods[side.party]))
        (folder / f"{side.party}.csv").write_text("".join(lines), "utf-8", newline="")
    reports = []
    for side in (ours, theirs):
        problems = LineProblems()
        with (
            their_list(side.connection, periods[side.party]) as table,
            (folder / f"{side.scope.party}.csv").open("rb") as file,
        ):
            table.take(read_lines(file, listed_cdr, problems), problems)
            reports.append(table.compared(problems, limit=1))
    return reports


def _differences(report: CompletenessReport) -> int:
    """Return how many CDRs, or lines, are not the same; what is on neither list is a difference."""
    compared = sum(each.our_count for each in report.sums if each.issuer == OURS)
    return sum(report.counts.values()) + report.unread + report.repeated + (compared == 0)


def _judged_again(dsn: str, settings: Settings) -> RecheckReport:
    def new_schema(scratch: Connection[Any], schema: str) -> None:
        migrate.apply(scratch, "books", schema=schema)

    with closing(open_event_log(dsn, settings)) as log:
        return judge_all_again(dsn, log, new_schema=new_schema)


def _row(connection: Connection[Any], query: LiteralString) -> tuple[Any, ...]:
    [row] = connection.execute(query).fetchall()
    return tuple(row)

"""The demo's figures: what the fleet said beside what the books hold, and what does not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from deploy.demo.closed_month import ClosedPeriods, find_closed_periods
from deploy.demo.collecting.money_figures import CollectedMoney, find_money, money_problems
from deploy.demo.documents import DemoDocument, documents_missing, write_documents
from deploy.demo.late_stops import Corrections, LateStop, find_corrections, find_late_stops
from deploy.demo.partner.roaming_figures import Roaming, find_roaming, roaming_problems
from deploy.demo.play import LAST_DAY, DemoMonth
from deploy.fleet.station_plan import Quirk, StationPlan, StepKind, steps_of
from deploy.running.replay import replay_and_compare
from ledger.database import dsn_of
from ledger.facts.flags import Flag
from ledger.log.envelope import Frame
from ledger.log.event_log import EventLog
from projections.audit.shown_documents import show_invoice
from projections.audit.text import explanation_text
from projections.audit.trail import explain
from projections.balances.energy import EnergyDay, energy_balance
from projections.balances.trial import trial_balance
from projections.invoice_list import credit_note_count, invoice_totals
from projections.log_reading import read_all
from projections.sessions import flag_counts, session_counts

_TELLING_LINE: LiteralString = """
SELECT number, session_id, revision, line
FROM rated_line JOIN invoiced_session USING (session_id, revision)
WHERE net_minor > 0 ORDER BY dimension = 'PARKING_TIME' DESC, net_minor, session_id LIMIT 1
"""

EXPECTED_FLAG: Final = {
    Quirk.OFFLINE: Flag.LATE_ARRIVAL,
    Quirk.DUPLICATES: Flag.DUPLICATE_START,
    Quirk.WRONG_CLOCK: Flag.CLOCK_AHEAD,
    Quirk.ROLLOVER: Flag.METER_ROLLOVER,
    Quirk.LOST_STOP: Flag.STOP_LOST,
    Quirk.LATE_STOP: Flag.LATE_FACT,
}
"""What the books must say about each quirk of the fleet."""


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of the fleet, `over_websockets` those of the last day and after.

    Heartbeats stand apart: they are answered, and no log keeps them.
    """

    sent: int
    over_websockets: int
    answered: int
    logged: int
    refused: int
    heartbeats: int


class Invoices(msgspec.Struct, frozen=True, kw_only=True):
    """Issued invoices; totals are exact decimals as text."""

    count: int
    count_by_currency: dict[str, int]
    total_by_currency: dict[str, Decimal]


class CreditNotes(msgspec.Struct, frozen=True, kw_only=True):
    """Issued credit notes."""

    count: int


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The energy balance in Wh, beside what the simulated meters really gave out.

    `late_wh`, a part of the unattributed, is what came to light after a session was billed, and was
    not corrected; `told_late_wh` what a late stop really told.
    """

    metered_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    held_wh: Decimal
    unattributed_wh: Decimal
    difference_wh: Decimal
    late_wh: Decimal
    delivered_wh: int
    told_late_wh: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Debits less credits over all currencies, as absolute minor units."""

    difference_minor: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay compared."""

    compared: int
    differences: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the demo reports. `visits` are the charging sessions that took place."""

    stations: int
    visits: int
    frames: Frames
    sessions: dict[str, int]
    flags: dict[str, int]
    invoices: Invoices
    energy_balance: Energy
    trial_balance: Trial
    replay: Replay
    late_stops: tuple[LateStop, ...]
    corrections: Corrections
    credit_notes: CreditNotes
    periods: ClosedPeriods
    roaming: Roaming
    payments: CollectedMoney
    documents: tuple[DemoDocument, ...]
    documents_missing: int
    log: str
    data: str
    real_seconds: float
    problems: tuple[str, ...] = ()


def collect_figures(connection: Connection[Any], log: EventLog, month: DemoMonth) -> Figures:
    """Read the books at the end, replay the log, and name what does not agree."""
    replay = replay_and_compare(dsn_of(connection), log)
    figures = Figures(
        stations=len(month.plans),
        visits=sum(len(station.visits) for station in month.plans),
        frames=Frames(
            sent=month.tally.sent,
            over_websockets=month.tally.sent - month.history.sent,
            answered=month.tally.answered,
            logged=_count_frames(log),
            refused=month.tally.refused,
            heartbeats=month.tally.heartbeats,
        ),
        sessions=session_counts(connection),
        flags=flag_counts(connection),
        invoices=_invoices(connection),
        energy_balance=_energy(energy_balance(connection).total, month),
        trial_balance=Trial(
            difference_minor=sum(map(abs, trial_balance(connection).difference_minor.values()))
        ),
        replay=Replay(compared=replay.compared, differences=replay.differences),
        late_stops=find_late_stops(connection),
        corrections=find_corrections(connection),
        credit_notes=CreditNotes(count=credit_note_count(connection)),
        periods=find_closed_periods(connection),
        roaming=find_roaming(connection, month.settings, LAST_DAY),
        payments=find_money(connection),
        documents=write_documents(connection, month.settings.data / "documents"),
        documents_missing=documents_missing(connection),
        log=month.settings.log,
        data=str(month.settings.data),
        real_seconds=round(month.real_seconds, 1),
    )
    problems = tuple(find_problems(figures, month))
    return msgspec.structs.replace(figures, problems=problems)


def explain_one_line(connection: Connection[Any], log: EventLog) -> str:
    """Return the explanation of one billed line: an idle fee if there is one."""
    row = connection.execute(_TELLING_LINE).fetchone()
    if row is None:
        return ""
    number, *rated_line = row
    document = show_invoice(connection, number)
    [line] = [
        each.line
        for each in document.lines
        if [each.session_id, each.revision, each.rated_line] == rated_line
    ]
    return explanation_text(explain(connection, log, number, line))


def find_problems(figures: Figures, month: DemoMonth) -> Iterator[str]:
    """Yield a sentence for everything that does not reconcile."""
    frames, energy, replay = figures.frames, figures.energy_balance, figures.replay
    trial_minor = figures.trial_balance.difference_minor
    unfinished = {"open", "waiting"} & figures.sessions.keys()
    missing = sorted(_expected_flags(month.plans) - figures.flags.keys())
    # What a partner owes is settled with it, on no document of ours.
    at_customers = figures.corrections.count - figures.roaming.cdrs_credited
    late = [(each.issued_on <= LAST_DAY < each.stop_came_at.date()) for each in figures.late_stops]
    checks = {
        f"frames: {frames.sent} sent, {frames.answered} answered, {frames.logged} logged": (
            frames.sent == frames.answered == frames.logged > 0
        ),
        f"stations were refused something: {month.tally.refusals[:3]}": frames.refused == 0,
        "the system did not come to rest at the end": month.has_settled,
        f"{figures.visits} cars charged, the books know {figures.sessions}": (
            sum(figures.sessions.values()) == figures.visits
        ),
        f"sessions are still {' and '.join(sorted(unfinished))}": not unfinished,
        f"the fleet must raise the flags {', '.join(missing)}": not missing,
        "no invoice was issued": figures.invoices.count > 0,
        "a session whose stop was lost must be billed in March, and the stop come in April": (
            late == [True]
        ),
        "what it was billed at first must be credited, by one note": (
            [each.credit_note is not None for each in figures.late_stops] == [True]
            and figures.credit_notes.count == 1 == at_customers
        ),
        "the month is not closed, or the late stop is not booked in the next one": (
            figures.periods.closed > 0 < figures.periods.entries_afterwards
        ),
        f"{figures.documents_missing} documents are not rendered": figures.documents_missing == 0,
        f"a closed trial balance moved by {figures.periods.trial_balance_moved_minor}": (
            figures.periods.trial_balance_moved_minor == 0
        ),
        f"the energy balance is off by {energy.difference_wh} Wh": energy.difference_wh == 0,
        f"{energy.delivered_wh} Wh were delivered, {energy.metered_wh} Wh metered": (
            energy.delivered_wh == energy.metered_wh
        ),
        f"{energy.told_late_wh} Wh were told late, {figures.corrections.energy_wh} corrected": (
            energy.told_late_wh == figures.corrections.energy_wh > 0 == energy.late_wh
        ),
        f"the trial balance is off by {trial_minor} minor units": trial_minor == 0,
        f"replay: {replay.differences} of {replay.compared} differ": (
            replay.differences == 0 and replay.compared > 0
        ),
        **dict(roaming_problems(figures.roaming)),
        **dict(money_problems(figures.payments)),
    }
    return (sentence for sentence, is_right in checks.items() if not is_right)


def _expected_flags(plans: Sequence[StationPlan]) -> set[str]:
    return {EXPECTED_FLAG[plan.quirk].value for plan in plans if plan.quirk and plan.visits}


def _count_frames(log: EventLog) -> int:
    """Count the stations' calls in the log."""
    kinds = Counter(
        logged.line.direction for logged in read_all(log) if isinstance(logged.line, Frame)
    )
    return kinds["in"]


def _invoices(connection: Connection[Any]) -> Invoices:
    totals = invoice_totals(connection)
    return Invoices(
        count=sum(count for count, _ in totals.values()),
        count_by_currency={currency: count for currency, (count, _) in totals.items()},
        total_by_currency={currency: total for currency, (_, total) in totals.items()},
    )


def _energy(total: EnergyDay, month: DemoMonth) -> Energy:
    return Energy(
        metered_wh=total.metered_wh,
        billed_wh=total.billed_wh,
        free_wh=total.free_wh,
        held_wh=total.held_wh,
        unattributed_wh=total.unattributed_wh,
        difference_wh=total.difference_wh,
        late_wh=total.late_wh,
        delivered_wh=sum(map(_delivered_wh, month.plans)),
        told_late_wh=sum(map(_told_late_wh, month.plans)),
    )


def _delivered_wh(plan: StationPlan) -> int:
    """Return what the station's meters counted. What no frame told shows at the next start."""
    registers: dict[int, int] = {}
    total = 0
    for step in steps_of(plan):
        if step.visit is None or step.kind is StepKind.STOP_CAME:
            continue
        before = registers.get(step.visit.connector_id, step.register_wh)
        total += (step.register_wh - before) % plan.register_modulo_wh
        registers[step.visit.connector_id] = step.register_wh
    return total


def _told_late_wh(plan: StationPlan) -> int:
    """Return what the car still drew between the last reading and a stop that came late."""
    read: dict[int, int] = {}
    late = 0
    for step in steps_of(plan):
        if step.visit is not None and step.kind in {StepKind.STARTED, StepKind.METERED}:
            read[step.visit.number] = step.register_wh
        if step.visit is not None and step.kind is StepKind.STOP_CAME:
            late += step.register_wh - read[step.visit.number]
    return late

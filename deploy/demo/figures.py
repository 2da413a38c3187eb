"""The demo's figures: what the fleet said beside what the books hold, and what does not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from deploy.demo.play import DemoDay
from deploy.fleet.day import Quirk, StationDay, steps_of
from deploy.running.replay import replay_and_compare
from ledger.facts.flags import Flag
from ledger.log.envelope import Frame
from projections.audit.text import explanation_text
from projections.audit.trail import explain, show_invoice
from projections.balances.energy import EnergyDay, energy_balance
from projections.balances.trial import trial_balance
from projections.invoice_list import invoice_totals
from projections.log_reading import read_all
from projections.sessions import flag_counts, session_counts

_TELLING_LINE: LiteralString = """
SELECT number, session_id, line FROM rated_line JOIN invoiced_session USING (session_id)
WHERE net_minor > 0 ORDER BY dimension = 'PARKING_TIME' DESC, net_minor, session_id LIMIT 1
"""

EXPECTED_FLAG: Final = {
    Quirk.OFFLINE: Flag.LATE_ARRIVAL,
    Quirk.DUPLICATES: Flag.DUPLICATE_START,
    Quirk.WRONG_CLOCK: Flag.CLOCK_AHEAD,
    Quirk.ROLLOVER: Flag.METER_ROLLOVER,
    Quirk.LOST_STOP: Flag.STOP_LOST,
}
"""What the books must say about each quirk of the fleet."""


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of the fleet. Heartbeats stand apart: they are answered, and no log keeps them."""

    sent: int
    answered: int
    logged: int
    refused: int
    heartbeats: int


class Invoices(msgspec.Struct, frozen=True, kw_only=True):
    """Issued invoices; totals are exact decimals as text."""

    count: int
    count_by_currency: dict[str, int]
    total_by_currency: dict[str, Decimal]


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The energy balance in Wh, beside what the simulated meters really gave out."""

    metered_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    held_wh: Decimal
    unattributed_wh: Decimal
    difference_wh: Decimal
    delivered_wh: int


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
    data: str
    real_seconds: float
    problems: tuple[str, ...] = ()


def collect_figures(connection: Connection[Any], day: DemoDay) -> Figures:
    """Read the books after the demo's day, replay the log, and name what does not agree."""
    replay = replay_and_compare(connection.info.dsn)
    figures = Figures(
        stations=len(day.days),
        visits=sum(len(station.visits) for station in day.days),
        frames=Frames(
            sent=day.tally.sent,
            answered=day.tally.answered,
            logged=_count_frames(connection),
            refused=day.tally.refused,
            heartbeats=day.tally.heartbeats,
        ),
        sessions=session_counts(connection),
        flags=flag_counts(connection),
        invoices=_invoices(connection),
        energy_balance=_energy(energy_balance(connection).total, day),
        trial_balance=Trial(
            difference_minor=sum(map(abs, trial_balance(connection).difference_minor.values()))
        ),
        replay=Replay(compared=replay.compared, differences=replay.differences),
        data=str(day.settings.data),
        real_seconds=round(day.real_seconds, 1),
    )
    problems = tuple(find_problems(figures, day))
    return msgspec.structs.replace(figures, problems=problems)


def explain_one_line(connection: Connection[Any]) -> str:
    """Return the explanation of one billed line: an idle fee if there is one."""
    row = connection.execute(_TELLING_LINE).fetchone()
    if row is None:
        return ""
    number, session_id, rated_line = row
    document = show_invoice(connection, number)
    [line] = [
        each.line
        for each in document.lines
        if (each.session_id, each.rated_line) == (session_id, rated_line)
    ]
    return explanation_text(explain(connection, number, line))


def find_problems(figures: Figures, day: DemoDay) -> Iterator[str]:
    """Yield a sentence for everything that does not reconcile."""
    frames, energy, replay = figures.frames, figures.energy_balance, figures.replay
    trial_minor = figures.trial_balance.difference_minor
    sessions = sum(figures.sessions.values())
    unfinished = {"open", "waiting"} & figures.sessions.keys()
    missing = sorted(_expected_flags(day.days) - figures.flags.keys())
    checks = {
        f"frames: {frames.sent} sent, {frames.answered} answered, {frames.logged} logged": (
            frames.sent == frames.answered == frames.logged > 0
        ),
        f"stations were refused something: {day.tally.refusals[:3]}": frames.refused == 0,
        "the system did not come to rest after the day": day.has_settled,
        f"{figures.visits} cars charged, the books know {sessions} sessions": (
            sessions == figures.visits
        ),
        f"sessions are still {' and '.join(sorted(unfinished))}": not unfinished,
        f"the fleet's day must raise the flags {', '.join(missing)}": not missing,
        "no invoice was issued": figures.invoices.count > 0,
        f"the energy balance is off by {energy.difference_wh} Wh": energy.difference_wh == 0,
        f"{energy.delivered_wh} Wh were delivered, {energy.metered_wh} Wh metered": (
            energy.delivered_wh == energy.metered_wh
        ),
        f"the trial balance is off by {trial_minor} minor units": trial_minor == 0,
        f"replay: {replay.differences} of {replay.compared} differ": (
            replay.differences == 0 and replay.compared > 0
        ),
    }
    return (sentence for sentence, is_right in checks.items() if not is_right)


def _expected_flags(days: Sequence[StationDay]) -> set[str]:
    return {EXPECTED_FLAG[day.quirk].value for day in days if day.quirk and day.visits}


def _count_frames(connection: Connection[Any]) -> int:
    """Count the stations' calls in the log."""
    kinds = Counter(
        logged.line.direction for logged in read_all(connection) if isinstance(logged.line, Frame)
    )
    return kinds["in"]


def _invoices(connection: Connection[Any]) -> Invoices:
    totals = invoice_totals(connection)
    return Invoices(
        count=sum(count for count, _ in totals.values()),
        count_by_currency={currency: count for currency, (count, _) in totals.items()},
        total_by_currency={currency: total for currency, (_, total) in totals.items()},
    )


def _energy(total: EnergyDay, day: DemoDay) -> Energy:
    return Energy(
        metered_wh=total.metered_wh,
        billed_wh=total.billed_wh,
        free_wh=total.free_wh,
        held_wh=total.held_wh,
        unattributed_wh=total.unattributed_wh,
        difference_wh=total.difference_wh,
        delivered_wh=sum(map(_delivered_wh, day.days)),
    )


def _delivered_wh(day: StationDay) -> int:
    """Return what the station's meters counted. What no frame told shows at the next start."""
    registers: dict[int, int] = {}
    total = 0
    for step in steps_of(day):
        if step.visit is None:
            continue
        before = registers.get(step.visit.connector_id, step.register_wh)
        total += (step.register_wh - before) % day.register_modulo_wh
        registers[step.visit.connector_id] = step.register_wh
    return total

"""The demo's output for people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.demo.closed_month import ClosedPeriods
from deploy.demo.collecting.money_figures import CollectedMoney
from deploy.demo.documents import DemoDocument
from deploy.demo.figures import Figures
from deploy.demo.partner.instance import THEIRS
from deploy.demo.partner.roaming_figures import Roaming
from deploy.output import print_rows, say
from ledger.facts.flags import meaning_of


def _by_name() -> str:
    """Say how the commands below are found: who ran `make demo` may have them in no path yet."""
    if shutil.which("wattledger") is not None:
        return "look around"
    return f"look around, after `. {Path(sys.executable).parent / 'activate'}`"


def _where(figures: Figures) -> list[str]:
    if figures.log == "kafka":
        return [f"The books lie in {figures.data}; their log was in Kafka, which is gone."]
    data = f"--data {figures.data}"
    return [
        f"One document of each kind and language lies in {figures.data}/documents.",
        f"The data lies in {figures.data}; {_by_name()}:",
        f"  wattledger invoices {data}",
        f"  wattledger documents list {data}",
        f"  wattledger sessions held {data}",
        f"  wattledger balance {data}",
    ]


def print_report(figures: Figures, explained: str) -> None:
    """Print what the demo did, what the books hold, and what does not agree."""
    flags = {"flag": "left", "sessions": "right", "meaning": "left"}
    rows = [(flag, count, meaning_of(flag)) for flag, count in figures.flags.items()]
    print_rows("\nFlags: what was odd", flags, rows)
    say("One line explained (wattledger explain NUMBER LINE):", "", *explained.split("\n"))
    say(*_where(figures), "", *summary(figures).split("\n"))
    for problem in figures.problems:
        say(f"DOES NOT RECONCILE: {problem}")
    if not figures.problems:
        say("Everything reconciles.")


def summary(figures: Figures) -> str:
    """Return the figures in a few lines; README shows them, and they are the same everywhere."""
    frames, energy, replay = figures.frames, figures.energy_balance, figures.replay
    invoices = figures.invoices
    totals = (
        f"{invoices.count_by_currency[currency]} over {total} {currency}"
        for currency, total in invoices.total_by_currency.items()
    )
    lines = [
        (
            f"{figures.stations} stations, half of them OCPP 1.6J, half 2.0.1; "
            f"{figures.visits} cars charged in a month that took {figures.real_seconds} s"
        ),
        (
            f"Frames    {frames.sent} sent, {frames.over_websockets} of them over WebSockets; "
            f"{frames.answered} answered, {frames.logged} logged"
        ),
        f"          {frames.heartbeats} heartbeats were answered and, by design, not logged",
        f"Sessions  {_counts(figures.sessions)}",
        f"Flags     {_counts(figures.flags)}",
        f"Invoices  {invoices.count}: {', '.join(totals)}",
        (
            f"Energy    {energy.metered_wh} Wh metered = {energy.billed_wh} billed"
            f" + {energy.free_wh} free by rule + {energy.held_wh} held"
            f" + {energy.unattributed_wh} unattributed; difference {energy.difference_wh}"
        ),
    ]
    lines += [
        *_late_stops(figures),
        *_roaming(figures.roaming),
        *_payments(figures.payments),
        f"Documents {_kinds(figures.documents)}",
        _closed(figures.periods),
        f"Trial     balance is off by {figures.trial_balance.difference_minor} minor units",
        (
            f"Replay    of the whole log: {replay.compared} consequences compared, "
            f"{replay.differences} differ"
        ),
    ]
    return "\n".join(lines)


def _late_stops(figures: Figures) -> list[str]:
    """Return what became of the sessions whose stop came after they were billed."""
    lines: list[str] = []
    for each in figures.late_stops:
        late_wh = figures.corrections.energy_wh_by_session[each.session_id]
        again = each.invoice_again or "the invoice of the next month"
        lines += [
            f"Late      {each.session_id}",
            (
                "          lost its stop and was released on its readings: "
                f"{each.invoice} of {each.issued_on} bills them"
            ),
            (
                f"          The stop came on {each.stop_came_at:%Y-%m-%d} with "
                f"{late_wh} Wh more: credited by {each.credit_note}, billed again by {again}"
            ),
        ]
    return lines


def _roaming(roaming: Roaming) -> list[str]:
    """Return what became of the partner's drivers' sessions."""
    return [
        (
            f"Roaming   {THEIRS} is a second instance, reached over OCPI: "
            f"{roaming.sessions} cars of its drivers, {roaming.cdrs_sent} CDRs"
        ),
        (
            f"          sent, {roaming.cdrs_accepted} accepted, {roaming.cdrs_noted} noted; "
            f"{roaming.cdrs_credited} credited and replaced when its stop came late"
        ),
        (
            f"          March settled by {roaming.settlement} and {roaming.settlement_of_partner}: "
            f"{roaming.net} {roaming.currency} and {roaming.energy_wh} Wh;"
        ),
        (
            f"          the two sides differ by {roaming.settlement_difference_minor} minor units, "
            f"{roaming.energy_difference_wh} Wh and {roaming.list_differences} lines of their lists"
        ),
    ]


def _payments(money: CollectedMoney) -> list[str]:
    """Return how the month's invoices were paid."""
    return [
        (
            f"Payments  {money.collected} invoices collected by card and direct debit: "
            f"{money.collected_total} EUR; {money.declined} declined,"
        ),
        (
            f"          {money.refunded} refunded for the credit note, {money.disputed} disputed "
            f"and lost; the provider kept {money.fees} EUR"
        ),
        (
            f"          {money.payouts} payout: charges - fees - refunds - disputes = payout = "
            f"bank, off by {money.payout_difference_minor};"
        ),
        (
            f"          {money.bank_lines} lines of bank statements, {money.unmatched} minor units "
            f"unmatched; {money.open_invoices} invoices open"
        ),
    ]


def _kinds(documents: Sequence[DemoDocument]) -> str:
    """Return in which languages there is a document of each kind."""
    languages: dict[str, list[str]] = {}
    for each in documents:
        languages.setdefault(each.kind.replace("_", " "), []).append(each.language)
    return "; ".join(f"{kind} in {', '.join(tags)}" for kind, tags in languages.items())


def _closed(periods: ClosedPeriods) -> str:
    return (
        f"Closed    {periods.closed} months' books before that stop came; they moved by "
        f"{periods.trial_balance_moved_minor}: what it changed stands in April's, "
        f"{periods.entries_afterwards} entries"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())

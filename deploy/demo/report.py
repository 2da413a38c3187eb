"""The demo's output for people."""

from __future__ import annotations

from deploy.demo.figures import Energy, Figures, Invoices
from deploy.output import print_rows, say
from ledger.facts.flags import meaning_of


def print_report(figures: Figures, explained: str) -> None:
    """Print what the demo did, what the books hold, and what does not agree."""
    frames = figures.frames
    say(
        f"\n{figures.stations} stations, half of them OCPP 1.6J, half 2.0.1; {figures.visits} cars "
        f"charged in a day that took {figures.real_seconds} s"
    )
    say(
        f"Frames    {frames.sent} sent, {frames.answered} answered, {frames.logged} logged; "
        f"{frames.heartbeats} heartbeats were answered and, by design, not logged\n"
    )
    counts = {"": "left", "sessions": "right"}
    print_rows("Sessions by state", counts, list(figures.sessions.items()))
    flags = {"flag": "left", "sessions": "right", "meaning": "left"}
    rows = [(flag, count, meaning_of(flag)) for flag, count in figures.flags.items()]
    print_rows("Flags: what was odd", flags, rows)
    _print_invoices(figures.invoices)
    _print_energy(figures.energy_balance)
    say(f"Trial balance is off by {figures.trial_balance.difference_minor} minor units")
    compared, differences = figures.replay.compared, figures.replay.differences
    say(f"Replay of the whole log: {compared} consequences compared, {differences} differ\n")
    say("One line explained (wattledger explain NUMBER LINE):\n")
    say(explained)
    _print_end(figures)


def _print_invoices(invoices: Invoices) -> None:
    rows: list[tuple[object, ...]] = [
        (currency, invoices.count_by_currency[currency], total)
        for currency, total in invoices.total_by_currency.items()
    ]
    rows.append(("all", invoices.count, ""))
    columns = {"invoices in": "left", "count": "right", "total": "right"}
    print_rows("Invoices", columns, rows)


def _print_energy(energy: Energy) -> None:
    rows = [
        ("metered", energy.metered_wh),
        ("= billed", energy.billed_wh),
        ("+ free by rule", energy.free_wh),
        ("+ held", energy.held_wh),
        ("+ unattributed", energy.unattributed_wh),
        ("difference", energy.difference_wh),
    ]
    print_rows("Energy balance", {"": "left", "Wh": "right"}, rows)


def _print_end(figures: Figures) -> None:
    data = f"--data {figures.data}"
    say(
        f"The data lies in {figures.data}; look around:\n"
        f"  wattledger invoices {data}\n"
        f"  wattledger sessions held {data}\n"
        f"  wattledger balance {data}\n"
    )
    for problem in figures.problems:
        say(f"DOES NOT RECONCILE: {problem}")
    if not figures.problems:
        say("Everything reconciles.")

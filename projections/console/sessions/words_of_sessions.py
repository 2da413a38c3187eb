"""How far sessions are, what they drew and cost, and what is chosen about them, as pages say it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from ledger.log.envelope import ChoiceKind
from ledger.sessions.states import SessionState
from projections.console.listing import Cell
from projections.console.page import ConsolePage
from projections.sessions import SessionSummary

STATES: Final[Mapping[SessionState, str]] = {
    SessionState.OPEN: "Under way",
    SessionState.WAITING: "Waiting",
    SessionState.HELD: "Held",
    SessionState.RATED: "Rated",
    SessionState.RELEASED: "Released",
    SessionState.WRITTEN_OFF: "Written off",
    SessionState.REPLACED: "Replaced",
}
CHOICES: Final[Mapping[ChoiceKind, str]] = {
    "release": "Release",
    "write_off": "Write off",
    "correct": "Price again",
    "attest": "Say when it ended",
    "take_back": "Take back",
    "credit": "Give back",
    "dispute": "Note a dispute",
    "uphold": "Uphold the dispute",
    "reject": "Reject the dispute",
}
MEANT: Final[Mapping[ChoiceKind, str]] = {
    "release": "It is rated as it is and invoiced; its flags stay on it.",
    "write_off": "Nothing is ever billed for it.",
    "correct": "It is priced again by all that is known and declared now; what was invoiced of it "
    "otherwise is credited.",
    "attest": "What its station did not tell, or told wrongly, is as you say it: it is priced by "
    "that, and flagged.",
    "take_back": "What was released is not billed any more, and what was invoiced is credited; "
    "what was written off is rated as it is.",
    "credit": "What you choose is free from now on, whatever comes late; what was invoiced of it "
    "is credited.",
    "dispute": "Its payer contests it: it is flagged until somebody decides. No money moves.",
    "uphold": "The payer is right: what was billed is given back.",
    "reject": "It is owed as before.",
}
"""What follows from a choice."""


def choice_text(page: ConsolePage, choice: str) -> str:
    """Return what is chosen in words; one that nobody knows any more by its own name."""
    return next((page.text(said) for known, said in CHOICES.items() if known == choice), choice)


def kwh(page: ConsolePage, energy_wh: Decimal | None) -> str:
    """Return energy as people read it, exact to the Wh."""
    if energy_wh is None:
        return ""
    return f"{page.words.language.number(energy_wh / 1000)} kWh"


def money(page: ConsolePage, minor: int, currency: str) -> str:
    """Return whole minor units as people read them."""
    return page.words.language.money(minor, currency)


def cost_cell(page: ConsolePage, session: SessionSummary) -> Cell:
    """Return what a session costs, taxes included; that of an open one may still change."""
    cost = session.cost
    if cost is None or cost.gross_minor is None or cost.currency is None:
        return Cell("")
    note = "" if cost.is_final else page.text("so far")
    return Cell(money(page, cost.gross_minor, cost.currency), note=note)

"""The entries of a customer's time line in words, each with what it leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.rating.decisions import SessionRated, SessionRevision
from ledger.sessions.states import PRICED, SessionState
from projections.console.links import invoice_link, payment_link, session_link
from projections.console.listing import Cell
from projections.console.page import ConsolePage
from projections.console.parts.money_words import MOVEMENT_WORDS
from projections.console.parts.within import WithinReach
from projections.console.sentences import code_words
from projections.customers.time_line import Happened
from tariffs.quantities import money_of_minor

KINDS: Final[Mapping[str, str]] = {
    "session": "Session",
    "elsewhere": "Charged at a partner's",
    "correction": "Correction",
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "reminder": "Reminder",
    "prepayment": "Paid in advance",
    "payment": "Payment",
    "dispute": "Taken back by the bank",
}
_STATES: Final[Mapping[str, str]] = {
    "open": "Under way",
    "waiting": "Waiting",
    "held": "Held",
    "rated": "Rated",
    "released": "Released",
    "written_off": "Written off",
}
_DISPUTES: Final[Mapping[str, str]] = {
    "inquiry": "The bank asks",
    "open": "Open",
    "won": "Won",
    "lost": "Lost",
}
_CODES: LiteralString = """
SELECT session_id, reasons || flags FROM session WHERE session_id = ANY (%s)
"""
_CODES_SHOWN: Final = 2


class SaidBeside(NamedTuple):
    """What else is said of a page's sessions: ratings by revision, and codes by session."""

    ratings: Mapping[SessionRevision, SessionRated]
    codes: Mapping[str, Sequence[str]]


def said_of(connection: Connection[Any], happened: Sequence[Happened]) -> SaidBeside:
    """Return the ratings and codes of the sessions among some entries: two statements."""
    wanted = {
        _revision(each)
        for each in happened
        if each.kind == "correction" or (each.kind == "session" and each.what in PRICED)
    }
    rated = rated_sessions(connection, sorted(wanted))
    sessions = [each.ref for each in happened if each.kind == "session"]
    codes = dict(connection.execute(_CODES, (sessions,)).fetchall())
    return SaidBeside({each.decides: each for each in rated}, codes)


def entry_rows(
    page: ConsolePage, inside: WithinReach, happened: Sequence[Happened], said: SaidBeside
) -> list[list[Cell]]:
    """Return a row for each entry."""
    return [_row(page, inside, each, said) for each in happened]


def _row(page: ConsolePage, inside: WithinReach, each: Happened, said: SaidBeside) -> list[Cell]:
    zone = inside.zone_at(each.place, each.at) if each.place else UTC
    if each.legal_entity:
        zone = inside.calendar(each.legal_entity)
    rated = said.ratings.get(_revision(each))
    return [
        Cell(at=each.at, zone=zone),
        Cell(page.text(KINDS[each.kind])),
        _about(each),
        _amount(page, each, rated),
        _more(page, each, said.codes.get(each.ref, ()), rated),
    ]


def _revision(each: Happened) -> SessionRevision:
    return SessionRevision(each.ref.removesuffix(f"#{each.number}"), each.number)


def _about(each: Happened) -> Cell:
    match each.kind:
        case "session" | "correction":
            session_id = _revision(each).session_id
            return Cell(session_id, session_link(session_id))
        case "invoice" | "credit_note":
            return Cell(each.ref, invoice_link(each.ref))
        case "reminder":
            return Cell(each.what, invoice_link(each.what))
        case "payment":
            document = each.what.partition("/")[2]
            return Cell(document, invoice_link(document)) if document else Cell("")
        case _:
            return Cell(each.ref)


def _amount(page: ConsolePage, each: Happened, rated: SessionRated | None) -> Cell:
    language = page.words.language
    if each.kind == "correction" and rated is not None and rated.corrects is not None:
        was = rated.corrects.net_minor + rated.corrects.tax_minor
        note = page.text("was {amount}", amount=language.money(was, rated.currency))
        return _money(page, rated.gross_minor, rated.currency)._replace(note=note)
    if rated is not None:
        return _money(page, rated.gross_minor, rated.currency)
    if each.minor is None or not each.currency:
        return Cell("")
    return _money(page, each.minor, each.currency)


def _money(page: ConsolePage, minor: int, currency: str) -> Cell:
    exact = money_of_minor(minor, currency).amount
    return Cell(page.words.language.money(minor, currency), exact=exact, unit=currency)


def _more(
    page: ConsolePage, each: Happened, codes: Sequence[str], rated: SessionRated | None
) -> Cell:
    match each.kind:
        case "session":
            note = " ".join(code_words(page.words, code) for code in codes[:_CODES_SHOWN])
            tone = "warn" if each.what == SessionState.HELD else ""
            return Cell(page.text(_STATES[each.what]), note=note, tone=tone)
        case "correction":
            corrects = rated.corrects if rated else None
            note = f"{corrects.by}: {corrects.reason}" if corrects and corrects.by else ""
            return Cell(page.text("revision {number}", number=each.number), note=note)
        case "payment":
            kind = each.what.partition("/")[0]
            note = page.text("movement {number}, {source}", number=each.ref, source=each.place)
            words = page.text(MOVEMENT_WORDS.get(kind, kind))
            return Cell(words, payment_link(each.ref), note=note)
        case _:
            return _more_of_books(page, each)


def _more_of_books(page: ConsolePage, each: Happened) -> Cell:
    match each.kind:
        case "credit_note":
            return Cell(each.what, invoice_link(each.what))
        case "reminder":
            return Cell(page.text("Reminder number {number}", number=each.number))
        case "prepayment":
            return Cell(page.text("recorded by {person}", person=each.what))
        case "dispute":
            return Cell(page.text(_DISPUTES.get(each.what, each.what)))
        case _:
            return Cell(each.place)

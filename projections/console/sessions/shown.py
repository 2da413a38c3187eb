"""One session as its page shows it: what it is, why it waits, what it costs, and what told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final

from litestar import Response
from psycopg import Connection

from ledger.desk.second_person import ProposedChoice, proposed_choices
from ledger.desk.withdrawing.withdrawn import About, withdrawn_of
from ledger.facts.flags import blockers_of
from ledger.four_eyes import is_same_person
from ledger.persons.store import names_in, names_of
from ledger.rating.decisions import SessionRated
from ledger.rating.payers import driver_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import MEANINGS, UNDECIDED, SessionState
from ledger.users.roles import Permission
from projections.console.links import (
    customer_link,
    frame_link,
    invoice_link,
    sessions_link,
    station_link,
    tariff_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.parts.rated_lines import lines_listing
from projections.console.parts.withdrawn_list import withdrawn_listing
from projections.console.parts.within import WithinReach, within
from projections.console.sentences import code_words, flag_words, reason_words
from projections.console.sessions.deciding.attested import register_text, stop_words
from projections.console.sessions.found import (
    FoundSession,
    PastDecision,
    decisions_of,
    find_session,
    rating_of,
)
from projections.console.sessions.told import (
    FACTS_PAGE,
    facts_after,
    next_facts,
    readings_listing,
    session_curve,
    told_listing,
)
from projections.console.sessions.words_of_sessions import (
    CHOICES,
    STATES,
    choice_text,
    cost_cell,
    kwh,
    money,
)
from projections.deciding.fold import folded_session
from projections.deciding.preview import possible_choices
from projections.finding.documents import DocumentWish, find_documents
from projections.finding.heard import heard_page
from projections.session_costs import with_costs
from projections.sessions import SessionSummary

_DOCUMENTS_MAX: Final = 20
_NUMBERS_SHOWN: Final = 20
_DECISIONS: Final[Mapping[str, str]] = {
    "rated": "Rated",
    "released": "Released",
    "corrected": "Corrected",
    "held": "Held",
    "written_off": "Written off",
}


def shown_session(page: ConsolePage, session_id: str) -> Response[str]:
    """Show a session.

    Raises:
        NotFoundException: If there is none within reach.
    """
    with page.console.reading() as connection:
        inside, listed = find_session(page, connection, session_id)
        [session] = with_costs(connection, [listed], page.console.newest)
        folded = folded_session(connection, inside.declarations, session)
        decisions = decisions_of(connection, session_id)
        heard = heard_page(connection, session_id, limit=FACTS_PAGE, after=facts_after(page))
        rated = rating_of(connection, session)
        proposal = proposed_choices(connection, [session_id]).get(session_id)
        zone = inside.zone_at(session.station_id, session.begun_at)
        content: dict[str, Any] = {
            "facts": _facts(page, connection, FoundSession(inside, session), rated, zone),
            "lines": lines_listing(page, rated, zone) if rated else None,
            "why": _why(page, connection, session, decisions),
            "decided": _decided(page, decisions, zone),
            "told": told_listing(page, connection, heard, folded, zone),
            "told_next": next_facts(page, heard),
            "readings": readings_listing(page, folded, heard, zone),
            "proposal": proposal,
            "is_own": bool(proposal and is_same_person(proposal.proposed_by, page.user.name)),
            "proposed": _proposed(page, proposal, zone),
            "withdrawn": withdrawn_listing(
                page,
                withdrawn_of(connection, About.SESSION, session_id),
                zone,
                partial(choice_text, page),
            ),
            "choices": _choices(page, connection, session),
        }
    return page.show(
        "sessions/one.html.j2",
        session=session,
        state=STATES[SessionState(session.state)],
        meaning=MEANINGS[SessionState(session.state)],
        flags=_flags(page, session),
        missing=_missing(page, folded),
        curve=session_curve(folded, rated),
        may_show_code=session.state in UNDECIDED and bool(content["choices"] is not None),
        zone=zone,
        **content,
    )


def _facts(
    page: ConsolePage,
    connection: Connection[Any],
    found: FoundSession,
    rated: SessionRated | None,
    zone: tzinfo,
) -> list[tuple[str, Cell]]:
    inside, session = found
    wish = DocumentWish(session_id=session.session_id, legal_entities=inside.legal_entities)
    documents = find_documents(connection, wish, limit=_DOCUMENTS_MAX)
    pairs = [
        ("Station", Cell(session.station_id, station_link(session.station_id))),
        ("Place", Cell(_place(session))),
        ("Site", _site(inside, session)),
        ("Token", Cell(session.token_uid or page.text("none"))),
        ("Began", _moment(page, session.started_at, zone)),
        ("Ended", _moment(page, session.ended_at, zone, session.stop_reason or "")),
        ("Energy", Cell(kwh(page, session.energy_wh) or page.text("not known"))),
        ("Price with taxes", cost_cell(page, session)),
        ("Revision", Cell(str(session.revision))),
    ]
    if rated is None and (customer := _customer(inside, session)) is not None:
        name = names_of(connection, [customer]).get(customer, customer)
        pairs.append(("Customer", Cell(name, customer_link(name))))
    if rated is not None:
        payer = rated.payer.customer or rated.payer.party
        name = names_of(connection, [payer]).get(payer, payer)
        href = customer_link(name) if rated.payer.customer else ""
        pairs += [
            ("Payer", Cell(name, href)),
            ("Tariff", Cell(rated.tariff_id, tariff_link(rated.tariff_id))),
        ]
    pairs += [
        (
            "Credit note" if each.credits else "Invoice",
            Cell(
                each.number, invoice_link(each.number), money(page, each.due_minor, each.currency)
            ),
        )
        for each in documents
    ]
    return pairs


def _place(session: SessionSummary) -> str:
    return "/".join(
        str(each) for each in (session.evse_id, session.connector_id) if each is not None
    )


def _customer(inside: WithinReach, session: SessionSummary) -> str | None:
    """Return whose token it is, as it is declared by now."""
    return driver_of(inside.declarations, session.subject, session.begun_at).customer_id


def _site(inside: WithinReach, session: SessionSummary) -> Cell:
    station = inside.declarations.station(session.station_id, session.begun_at)
    return Cell(station.site, sessions_link(site=station.site)) if station else Cell("")


def _moment(page: ConsolePage, at: datetime | None, zone: tzinfo, note: str = "") -> Cell:
    if at is None:
        return Cell(page.text("not known"), note=note)
    return Cell(note=note, at=at, zone=zone)


def _why(
    page: ConsolePage,
    connection: Connection[Any],
    session: SessionSummary,
    decisions: Sequence[PastDecision],
) -> list[str]:
    """Return in words why a session is not billed, or not as all facts have it."""
    if session.state == SessionState.HELD and decisions:
        reasons = decisions[0].reasons
        return reason_words(page.words, reasons, names_in(connection, reasons))
    codes = session.reasons or [*(session.cost.codes if session.cost else ())]
    if session.state in {SessionState.OPEN, SessionState.WAITING}:
        codes = [*codes, *blockers_of(session.flags)]
    return [code_words(page.words, each) for each in dict.fromkeys(codes)]


def _missing(page: ConsolePage, folded: ChargingSession | None) -> list[str]:
    """Return in words what never came of a session, or came and was not used."""
    if folded is None:
        return [page.text("By all that is known now there is no such session.")]
    said = []
    if folded.started_at is None:
        said.append(page.text("Its start."))
    if folded.ended_at is None:
        said.append(page.text("Its stop."))
    if folded.missing_seq_nos:
        numbers = ", ".join(map(str, folded.missing_seq_nos[:_NUMBERS_SHOWN]))
        more = "" if len(folded.missing_seq_nos) <= _NUMBERS_SHOWN else ", …"
        said.append(page.text("Messages number {numbers}.", numbers=numbers + more))
    counted = (
        ("{count} readings of its register were not used.", len(folded.dropped)),
        ("{count} readings at its start contradict it.", len(folded.refused_starts)),
        ("{count} readings at its stop contradict it.", len(folded.refused_stops)),
    )
    return said + [page.text(text, count=count) for text, count in counted if count]


def _flags(page: ConsolePage, session: SessionSummary) -> list[tuple[str, str, bool]]:
    blockers = set(blockers_of(session.flags))
    return [(each, flag_words(page.words, each), each in blockers) for each in session.flags]


def _choices(
    page: ConsolePage, connection: Connection[Any], session: SessionSummary
) -> list[tuple[str, str]] | None:
    """Return what who asks can choose about a session; None where it may decide nothing of it."""
    inside = within(page, connection, Permission.DECIDE_SESSIONS)
    if not page.user.may(Permission.DECIDE_SESSIONS) or not inside.has_session(
        session.station_id, session.begun_at
    ):
        return None
    return [(each, CHOICES[each]) for each in possible_choices(session)]


def _proposed(page: ConsolePage, proposal: ProposedChoice | None, zone: tzinfo) -> dict[str, str]:
    if proposal is None:
        return {}
    stop = proposal.attested
    return {
        "choice": choice_text(page, proposal.choice),
        "stop": stop_words(page, stop, zone) if stop else "",
        "ended": stop.ended_at.isoformat() if stop else "",
        "register": register_text(stop.meter_stop_wh) if stop else "",
        "moved": money(page, proposal.moved_minor, proposal.currency),
    }


def _decided(page: ConsolePage, decisions: Sequence[PastDecision], zone: tzinfo) -> Listing:
    columns = (
        Column("at", "Decided"),
        Column("kind", "What"),
        Column("revision", "Revision", is_figure=True),
        Column("owed", "Owed", is_figure=True),
        Column("by", "By whom and why"),
    )
    rows = [
        [
            Cell(at=each.decided_at, zone=zone, href=frame_link(f"{each.spot}/0")),
            Cell(page.text(_DECISIONS[each.kind])),
            Cell(str(each.revision)),
            Cell(money(page, each.rated.gross_minor, each.rated.currency) if each.rated else ""),
            Cell(each.by or page.text("by itself"), note=each.reason),
        ]
        for each in decisions
    ]
    empty = page.text("Nothing was decided about it yet.")
    return Listing(page.text("Decisions"), columns, rows, page.address, empty)

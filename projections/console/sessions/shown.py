"""One session as its page shows it: what it is, why it waits, what it costs, and what told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar

from litestar import Response
from litestar.exceptions import ValidationException
from psycopg import Connection

from ledger.desk.second_person import ProposedChoice, proposed_choices
from ledger.facts.flags import blockers_of
from ledger.four_eyes import is_same_person
from ledger.log.event_log import Position
from ledger.persons.store import names_in, names_of
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import MEANINGS, UNDECIDED, SessionState
from ledger.users.roles import Permission
from projections.audit.raw_frames import RawFrame, read_frames
from projections.console.curve import CurvePoint, CurveWindow, curve_of
from projections.console.links import (
    customer_link,
    frame_link,
    invoice_link,
    sessions_link,
    station_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.sentences import code_words, flag_words, reason_words
from projections.console.sessions.found import (
    FoundSession,
    PastDecision,
    decisions_of,
    find_session,
    rating_of,
)
from projections.console.sessions.rated_lines import lines_listing
from projections.console.sessions.words_of_sessions import (
    CHOICES,
    STATES,
    cost_cell,
    kwh,
    money,
)
from projections.console.within import Within, within
from projections.deciding.fold import folded_session
from projections.deciding.preview import possible_choices
from projections.finding.documents import DocumentWish, find_documents
from projections.finding.heard import HeardFact, HeardPage, heard_page
from projections.session_costs import with_costs
from projections.sessions import SessionSummary

T = TypeVar("T")
FACTS_PAGE: Final = 40
READINGS_SHOWN: Final = 60
_DOCUMENTS_MAX: Final = 20
_FACTS_AFTER: Final = "facts"
_FACT_COLUMNS: Final = (
    Column("received", "Received"),
    Column("occurred", "By the station's clock"),
    Column("kind", "What it tells"),
    Column("register", "Register", is_figure=True),
    Column("oddities", "Odd"),
    Column("frame", "Raw frame"),
)
_FACT_KINDS: Final[Mapping[str, str]] = {
    "started": "start",
    "updated": "readings",
    "ended": "stop",
    "queue": "what it still holds",
    "price_told": "price told to it",
    "payment": "payment",
    "set_aside": "set aside",
}
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
        heard = heard_page(connection, session_id, limit=FACTS_PAGE, after=_facts_after(page))
        rated = rating_of(connection, session)
        proposal = proposed_choices(connection, [session_id]).get(session_id)
        zone = inside.zone_at(session.station_id, session.begun_at)
        content = {
            "facts": _facts(page, connection, FoundSession(inside, session), rated, zone),
            "lines": lines_listing(page, rated, zone) if rated else None,
            "why": _why(page, connection, session, decisions),
            "decided": _decided(page, decisions, zone),
            "told": _told(page, heard, _frames(page, connection, heard.facts), folded, zone),
            "told_next": _next_facts(page, heard),
            "readings": _readings(page, folded, heard, zone),
            "proposal": proposal,
            "is_own": bool(proposal and is_same_person(proposal.proposed_by, page.user.name)),
            "proposed": _proposed(page, proposal),
            "choices": _choices(page, connection, session),
        }
    return page.show(
        "sessions/one.html.j2",
        session=session,
        state=STATES[SessionState(session.state)],
        meaning=MEANINGS[SessionState(session.state)],
        flags=_flags(page, session),
        missing=_missing(page, folded),
        curve=_curve(page, folded, rated),
        may_show_code=session.state in UNDECIDED and bool(content["choices"] is not None),
        zone=zone,
        **content,
    )


def _facts_after(page: ConsolePage) -> int:
    text = page.address.of(_FACTS_AFTER)
    if not text:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        message = f"{_FACTS_AFTER}: {text!r} is no place in the log"
        raise ValidationException(message)
    return int(text)


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
    if rated is not None:
        payer = rated.payer.customer or rated.payer.party
        name = names_of(connection, [payer]).get(payer, payer)
        href = customer_link(name) if rated.payer.customer else ""
        pairs += [
            ("Payer", Cell(name, href)),
            ("Tariff", Cell(rated.tariff_id, f"/console/tariffs/{rated.tariff_id}")),
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


def _site(inside: Within, session: SessionSummary) -> Cell:
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
        numbers = ", ".join(map(str, folded.missing_seq_nos[:20]))
        more = "" if len(folded.missing_seq_nos) <= 20 else ", …"
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


def _proposed(page: ConsolePage, proposal: ProposedChoice | None) -> dict[str, str]:
    if proposal is None:
        return {}
    return {
        "choice": page.text(CHOICES[proposal.choice]),
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


def _frames(
    page: ConsolePage, connection: Connection[Any], facts: Sequence[HeardFact]
) -> Mapping[str, RawFrame]:
    wanted = [Position(*map(int, each.spot.split("/"))) for each in facts]
    with page.console.desk.reading_log() as log:
        found = read_frames(connection, log, wanted)
    return {str(at): frame for at, frame in found.items()}


def _told(
    page: ConsolePage,
    heard: HeardPage,
    frames: Mapping[str, RawFrame],
    folded: ChargingSession | None,
    zone: tzinfo,
) -> Listing:
    used = {f"{position}/{line}" for position, line in folded.frames} if folded else set()
    rows = []
    for each in heard.facts:
        frame = frames.get(each.spot)
        is_used = each.spot.partition("/")[2] in used
        register = "" if each.register_wh is None else kwh(page, each.register_wh)
        rows.append(
            [
                Cell(at=each.received_at, zone=zone),
                Cell("" if each.occurred_at is None else _local(page, each, zone)),
                Cell(
                    page.text(_FACT_KINDS.get(each.kind, each.kind)),
                    note="" if is_used else page.text("not a part of it"),
                ),
                Cell(register),
                Cell(" ".join(code_words(page.words, odd) for odd in each.oddities)),
                Cell(each.spot, frame_link(each.spot), frame.sha256[:16] if frame else ""),
            ]
        )
    return Listing(
        caption=page.text("What its station told, in the order in which it came"),
        columns=_FACT_COLUMNS,
        rows=rows,
        address=page.address,
        empty=page.text("Nothing is known of what its station told."),
    )


def _local(page: ConsolePage, fact: HeardFact, zone: tzinfo) -> str:
    at = fact.occurred_at
    assert at is not None
    # A time without a zone is the station's clock as it came.
    return page.moment(at, zone, seconds=True) if at.tzinfo else at.isoformat(" ")


def _curve(
    page: ConsolePage, folded: ChargingSession | None, rated: SessionRated | None
) -> object | None:
    if folded is None:
        return None
    points = [CurvePoint(each.at, each.energy_wh) for each in folded.points]
    windows = [
        CurveWindow(each.starts_at, each.ends_at, each.element_name or "")
        for each in (rated.lines if rated else ())
        if each.dimension.value == "ENERGY" and not each.is_tax
    ]
    return curve_of(_thinned(points), windows)


def _next_facts(page: ConsolePage, heard: HeardPage) -> str:
    return "" if heard.next_after is None else page.address.with_(facts=str(heard.next_after))


def _readings(
    page: ConsolePage, folded: ChargingSession | None, heard: HeardPage, zone: tzinfo
) -> Listing | None:
    if folded is None or not folded.points:
        return None
    columns = (
        Column("at", "At"),
        Column("register", "Register", is_figure=True),
        Column("energy", "Since the start", is_figure=True),
        Column("frame", "Raw frame"),
    )
    partition = heard.facts[0].spot.partition("/")[0] if heard.facts else ""
    rows = [
        [
            Cell(at=each.at, zone=zone),
            Cell(page.text("derived") if each.register_wh is None else kwh(page, each.register_wh)),
            Cell(kwh(page, each.energy_wh)),
            _frame_cell(partition, each.position, each.line),
        ]
        for each in _thinned(folded.points)
    ]
    total = page.text(
        "{shown} of {count} readings that count", shown=len(rows), count=len(folded.points)
    )
    return Listing(page.text("Readings"), columns, rows, page.address, "", total=total)


def _frame_cell(partition: str, position: int, line: int) -> Cell:
    spot = f"{partition}/{position}/{line}"
    return Cell(spot, frame_link(spot)) if partition else Cell("")


def _thinned(items: Sequence[T]) -> Sequence[T]:
    """Return some of many, spread evenly, the first and the last always among them."""
    count = len(items)
    if count <= READINGS_SHOWN:
        return items
    last = READINGS_SHOWN - 1
    return [items[place * (count - 1) // last] for place in range(READINGS_SHOWN)]

"""The list of sessions: by state, place, month, flag and what holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, LiteralString

from litestar import Controller, Response, get
from litestar.params import FromPath
from psycopg import Connection

from ledger.desk.second_person import waiting_choices
from ledger.facts.flags import RULES
from ledger.sessions.states import SessionState
from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.links import session_link, sessions_link, station_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.within import WithinReach, within
from projections.console.sentences import HOLDING, code_words
from projections.console.sessions.exported import exported_sessions
from projections.console.sessions.filters import (
    LookedSessions,
    clock_of,
    filters_of,
    find_filtered,
    order_of,
    since_of,
    sorts_by_energy,
    wish_of,
    written_key,
)
from projections.console.sessions.shown import shown_session
from projections.console.sessions.words_of_sessions import (
    STATES,
    choice_text,
    cost_cell,
    kwh,
    money,
)
from projections.finding.sessions import SessionOrder
from projections.session_costs import with_costs
from projections.sessions import SessionSummary, sessions_named

PAGE: Final = 50
_COLUMNS: Final = (
    Column("began", "Began", sorts=True),
    Column("session", "Session"),
    Column("station", "Station"),
    Column("token", "Token"),
    Column("state", "State"),
    Column("energy", "Energy", is_figure=True),
    Column("cost", "Price", is_figure=True),
)
_COUNTS: LiteralString = "SELECT state, sum(sessions)::bigint FROM session_count GROUP BY state"
_WAITING_COLUMNS: Final = (
    Column("at", "Proposed"),
    Column("session", "Session"),
    Column("choice", "What"),
    Column("moves", "What moves", is_figure=True),
    Column("by", "By whom and why"),
)
WAITING_MAX: Final = 20
_SHOWN_FLAGS: Final = 2
"""Of a session with many flags the list says so many; its page has all."""


class SessionPages(Controller):
    """Sessions by filters, and one of them."""

    path = "/sessions"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show the sessions of the filters in the address, or hand them out as a file."""
        if session_id := page.address.of("id"):
            return shown_session(page, session_id)
        if kind := page.address.of(FORMAT):
            return exported_sessions(page, kind)
        asked = filters_of(page.address)
        with page.console.reading() as connection:
            inside = within(page, connection, site=asked.site or None)
            sites = within(page, connection).offered_sites(asked.site)
            clock = clock_of(inside, asked)
            wish = wish_of(asked, inside, clock)
            order = order_of(page)
            since = since_of(page.address, order)
            found = find_filtered(connection, asked, wish, limit=PAGE, since=since, order=order)
            shown = with_costs(connection, found.sessions, page.console.newest)
            counts = _counts(connection) if inside.stays is None else {}
            waiting = _waiting(page, connection, inside) if _is_bare(page) else None
        return page.show(
            "sessions/list.html.j2",
            listing=_listing(page, inside, found, shown),
            asked=asked,
            tiles=_tiles(counts),
            waiting=waiting,
            states=_choices(page),
            sites=[("", page.text("All")), *((each, each) for each in sites)],
            flags=_code_choices(page, RULES),
            reasons=_code_choices(page, HOLDING),
            looked_until=found.looked_until,
            zone=clock,
            clock=str(clock),
        )

    @get("/{session:path}", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def one(self, page: ThisPage, session: FromPath[str]) -> Response[str]:
        """Show one session."""
        return shown_session(page, session.removeprefix("/"))


def _is_bare(page: ConsolePage) -> bool:
    return not any(page.address.query.values())


def _waiting(page: ConsolePage, connection: Connection[Any], inside: WithinReach) -> Listing:
    """Return what waits for a second person, the longest first."""
    rows = []
    waiting = waiting_choices(connection, limit=WAITING_MAX)
    named = sessions_named(connection, [each.session_id for each in waiting])
    known = {each.session_id: each for each in named}
    for each in waiting:
        session = known.get(each.session_id)
        if session is None or not inside.has_session(session.station_id, session.begun_at):
            continue
        zone = inside.zone_at(session.station_id, each.proposed_at)
        rows.append(
            [
                Cell(at=each.proposed_at, zone=zone),
                Cell(each.session_id, session_link(each.session_id)),
                Cell(choice_text(page, each.choice)),
                Cell(money(page, each.moved_minor, each.currency)),
                Cell(each.proposed_by, note=each.reason),
            ]
        )
    caption = page.text("What waits for a second person")
    return Listing(caption, _WAITING_COLUMNS, rows, page.address, "")


def _counts(connection: Connection[Any]) -> dict[str, int]:
    return dict(connection.execute(_COUNTS).fetchall())


def _tiles(counts: dict[str, int]) -> list[tuple[str, str, str, str]]:
    """Return how many sessions are in each state that somebody may have to look at."""
    shown = (SessionState.HELD, SessionState.WAITING, SessionState.OPEN)
    return [
        (
            STATES[state],
            f"{counts.get(state, 0):,}",
            sessions_link(state=state),
            "warn" if state is SessionState.HELD and counts.get(state, 0) else "",
        )
        for state in shown
        if counts
    ]


def _choices(page: ConsolePage) -> list[tuple[str, str]]:
    states = [each for each in SessionState if each is not SessionState.REPLACED]
    return [("", page.text("All")), *((each.value, page.text(STATES[each])) for each in states)]


def _code_choices(page: ConsolePage, codes: Iterable[str]) -> list[tuple[str, str]]:
    said = sorted((code_words(page.words, each), str(each)) for each in codes)
    return [("", page.text("All")), *((code, words) for words, code in said)]


def _listing(
    page: ConsolePage,
    inside: WithinReach,
    found: LookedSessions,
    shown: Sequence[SessionSummary],
) -> Listing:
    since = found.since
    return Listing(
        caption=page.text("Sessions"),
        columns=[
            each._replace(sorts=each.sorts or (each.key == "energy" and sorts_by_energy(page)))
            for each in _COLUMNS
        ],
        rows=[_row(page, inside, each) for each in shown],
        address=page.address,
        empty=page.text("No session is like that: leave a filter out, or choose another month."),
        next_after=written_key(*since) if since else "",
        exports=bool(shown),
        by_itself=SessionOrder.NEWEST.value,
    )


def _row(page: ConsolePage, inside: WithinReach, session: SessionSummary) -> list[Cell]:
    at = session.begun_at
    state = SessionState(session.state)
    return [
        Cell(at=at, zone=inside.zone_at(session.station_id, at)),
        Cell(session.session_id, session_link(session.session_id)),
        Cell(session.station_id, station_link(session.station_id)),
        Cell(session.token_uid or ""),
        Cell(
            page.text(STATES[state]),
            note=_why(page, session),
            tone="warn" if state is SessionState.HELD else "",
        ),
        Cell(kwh(page, session.energy_wh)),
        cost_cell(page, session),
    ]


def _why(page: ConsolePage, session: SessionSummary) -> str:
    """Return what holds a session; of one that is decided, its flags."""
    codes = session.reasons or [*(session.cost.codes if session.cost else ())] or session.flags
    said = [code_words(page.words, each) for each in codes[:_SHOWN_FLAGS]]
    if len(codes) > _SHOWN_FLAGS:
        said.append(page.text("and {count} more", count=len(codes) - _SHOWN_FLAGS))
    return " ".join(said)

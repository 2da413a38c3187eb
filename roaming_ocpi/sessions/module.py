"""Our sessions as partners ask for them: those of their own drivers, in pages.

A page begins behind the last session of the one before, by when each changed: what is told anew
meanwhile comes again at the end, and nothing is left out.

Source: OCPI 2.2.1 and 2.3.0, mod_sessions, Sender interface; OCPI 2.1.1, mod_sessions, CPO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from roaming_ocpi.cdrs.telling.disclosure import BEARERS
from roaming_ocpi.server.calls import (
    SINCE_2_2,
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.sessions.rows import KeptLiveSession, bearers_asked, opened_bearers
from roaming_ocpi.sessions.told import decode_told, session_json
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from tariffs.ocpi.versions import OcpiVersion

AFTER: Final = "after"
"""The parameter by which a page begins behind a session."""
_COUNT: LiteralString = """
SELECT count(*) FROM roaming_session WHERE party = ANY (%(parties)s)
AND last_updated >= coalesce(%(since)s, '-infinity'::timestamptz)
AND last_updated < coalesce(%(until)s, 'infinity'::timestamptz)
"""
_PAGE: LiteralString = """
SELECT party, session_id, last_updated, body FROM roaming_session
WHERE party = ANY (%(parties)s)
AND last_updated >= coalesce(%(since)s, '-infinity'::timestamptz)
AND last_updated < coalesce(%(until)s, 'infinity'::timestamptz)
AND (last_updated, session_id) > (%(after_at)s, %(after_id)s)
ORDER BY last_updated, session_id OFFSET %(offset)s LIMIT %(limit)s
"""
_KNOWN: LiteralString = "SELECT 1 FROM roaming_session WHERE party = ANY (%s) AND ocpi_id = %s"
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_PROFILES: Final = frozenset({"CHEAP", "FAST", "GREEN", "REGULAR"})
"""Source: OCPI 2.2.1, mod_sessions, ProfileType."""
_OURS: Final = "REGULAR"
"""Our stations charge as the vehicle asks: there is no other profile to choose."""


class _Place(NamedTuple):
    """Behind which session a page begins."""

    at: datetime = _FIRST
    session_id: str = ""


class SessionsSender:
    """The module, over a *database*."""

    def __init__(self, database: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._database = database

    def modules(self) -> tuple[Module, ...]:
        """Return what partners' eMSPs call; 2.1.1 knows no preferences of a driver."""
        listed = Route("GET", "", self.page, "Return the sessions of your drivers.", is_list=True)
        preferred = Route(
            "PUT",
            "/{session_id}/charging_preferences",
            self.prefer,
            "Tell how your driver would like to charge.",
            has_body=True,
        )
        sender = partial(Module, ModuleId.SESSIONS, InterfaceRole.SENDER, OurSide.CPO)
        return (
            sender((listed,), frozenset({OcpiVersion.V2_1_1})),
            sender((listed, preferred), SINCE_2_2),
        )

    async def page(self, call: PartnerCall) -> Reply:
        """Return a page of sessions, those that changed first before others."""
        asked, place = call.asked, _place_of(call)
        parties = sorted(call.caller.parties)
        row = {
            "parties": parties,
            "since": asked.date_from,
            "until": asked.date_to,
            "after_at": place.at,
            "after_id": place.session_id,
            "offset": asked.offset,
            "limit": asked.limit + 1,
        }
        async with self._database.connection() as connection:
            [(total,)] = await (await connection.execute(_COUNT, row)).fetchall()
            rows = await (await connection.execute(_PAGE, row)).fetchall()
            kept = [
                KeptLiveSession(r[0], r[1], r[2], decode_told(r[3])) for r in rows[: asked.limit]
            ]
            known = await connection.execute(BEARERS, bearers_asked(kept))
            bearers = opened_bearers(kept, await known.fetchall())
        objects = [
            session_json(
                each.told,
                call.version,
                party=each.party,
                bearer=bearers[each.session_id],
                last_updated=each.last_updated,
            )[0]
            for each in kept
        ]
        following = _next(kept) if len(rows) > asked.limit else None
        return Reply(page=ObjectPage(objects, total, asked.limit, following))

    async def prefer(self, call: PartnerCall) -> Reply:
        """Say whether a driver's preferences can be met: those that change nothing can."""
        session_id = call.path["session_id"]
        async with self._database.connection() as connection:
            parties = sorted(call.caller.parties)
            found = await connection.execute(_KNOWN, (parties, session_id))
            if await found.fetchone() is None:
                message = "there is no such session of a driver of yours"
                raise OcpiRefusedError.not_found(message)
        wanted = call.body.get("profile_type") if isinstance(call.body, dict) else None
        if wanted not in _PROFILES:
            message = f"profile_type must be one of {', '.join(sorted(_PROFILES))}"
            raise OcpiRefusedError.invalid(message)
        return Reply(data="ACCEPTED" if wanted == _OURS else "PROFILE_TYPE_NOT_SUPPORTED")


def _next(kept: Sequence[KeptLiveSession]) -> Mapping[str, str] | None:
    if not kept:
        return None
    last = kept[-1]
    return {AFTER: f"{last.last_updated.isoformat()}~{last.session_id}"}


def _place_of(call: PartnerCall) -> _Place:
    """Return where the page begins, as the link to it says.

    Raises:
        OcpiRefusedError: If that is no link of ours.
    """
    said = call.query.get(AFTER)
    if said is None:
        return _Place()
    moment, _, session_id = said.partition("~")
    with suppress(ValueError):
        at = datetime.fromisoformat(moment.replace(" ", "+"))
        if at.tzinfo is not None and "\0" not in session_id:
            return _Place(at, session_id)
    message = f"{AFTER} is none of the links to a next page that we gave"
    raise OcpiRefusedError.invalid(message)

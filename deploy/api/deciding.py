"""Deciding about sessions over HTTP: what a choice comes to, and the choice, by a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Controller, Response, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import JSONBody
from psycopg import Connection

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.within import Asked, reach_in, wants
from deploy.api.documents import Acting
from deploy.interface.access import Scope
from deploy.interface.books import Newest
from ledger.desk.recording import NotTakenYetError
from ledger.desk.second_person import ProposedChoice
from ledger.log.envelope import Attested
from ledger.sessions.states import SessionState
from projections.deciding.attesting import stop_said_of
from projections.deciding.choosing import ChoiceWish, make_choice
from projections.deciding.preview import ChoicePreview, possible_choices, preview
from projections.finding.stays import stays_within
from projections.sessions import SessionSummary, list_sessions

DECIDES: Final = wants(Scope.DECIDE) | {
    "example": {
        "session": "HB-07/812/20260331T103000Z",
        "choice": "attest",
        "reason": "a photo of its display",
        "ended_at": "2026-03-31T14:05:00+02:00",
        "register_wh": "5061200",
        "preview": True,
    }
}
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
_Register = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,6})?$", max_length=22)]


class PersonsChoiceError(PermissionDeniedException):
    """A machine would decide about a session."""

    def __init__(self) -> None:
        super().__init__(
            detail="a person decides about sessions, with a token of their own (/console/me)",
            extra={"code": "no_machine"},
        )


class DecisionWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is decided about a session; `preview`: only say what it comes to.

    `attest`: it ended at `ended_at` with `register_wh` on its register; what is left out is as its
    station told it. What is doubtful of that takes `is_sure`. `moves`: as the preview said; where
    it moves another amount by now, nothing is decided.
    """

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    choice: Literal["release", "write_off", "correct", "attest", "take_back"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    ended_at: _Zoned | None = None
    register_wh: _Register | None = None
    is_sure: bool = False
    moves: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    preview: bool = False


class SessionDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a session, or would: `is_recorded` false where it was only looked at.

    `moved` of what is owed moves, in major units; `moves` is the same for a wish. `doubts`: why
    what is attested is hardly so. `waits_for_second`: another person is to ask for the same.
    """

    session: str
    state: SessionState
    revision: int
    is_recorded: bool
    waits_for_second: bool
    moved: str
    currency: str
    moves: str
    doubts: list[str]
    reasons: list[str]


class DecidingController(Controller):
    """What people decide about sessions."""

    tags = ("sessions",)

    @post("/decisions", opt=DECIDES, status_code=HTTPStatus.OK, sync_to_thread=True)
    def decide(
        self, request: Asked, data: JSONBody[DecisionWish], acting: Acting, newest: Newest
    ) -> Response[SessionDecision]:
        """Release, write off, correct or attest a session, or take that back: a person does.

        202 where the worker has not come to it yet, and where so much money moves that another
        person has to ask for the same.
        """
        if request.user.person is None:
            raise PersonsChoiceError
        status, proposed, is_recorded = HTTPStatus.OK, False, False
        with acting.desk.opened() as (connection, log):
            session = _found(request, connection, newest, data.session)
            declared = newest.of(connection)
            wish = _wish(connection, data, request.user.name)
            now = acting.now()
            if data.choice not in possible_choices(session):
                # It says what stands in the way.
                make_choice(connection, declared, wish, at=now, log=log, work_off=None)
            would = preview(
                connection, declared, session, data.choice, at=now, attested=wish.attested
            )
            if not data.preview:
                try:
                    done = make_choice(connection, declared, wish, at=now, log=log, work_off=None)
                    proposed = isinstance(done, ProposedChoice)
                    is_recorded = not proposed
                except NotTakenYetError:
                    is_recorded, status = True, HTTPStatus.ACCEPTED
                session = list_sessions(connection, session_id=data.session, limit=1)[0]
        if proposed:
            status = HTTPStatus.ACCEPTED
        answer = _decision(session, would, is_recorded=is_recorded, waits=proposed)
        return Response(answer, status_code=status)


ROUTES: Final[Sequence[type[Controller]]] = (DecidingController,)


def _found(
    request: Asked, connection: Connection[Any], newest: Newest, session_id: str
) -> SessionSummary:
    found = list_sessions(connection, session_id=session_id, limit=1)
    stays = stays_within(newest.of(connection), reach_in(request, Scope.DECIDE))
    if not found or not (stays is None or stays.has(found[0].station_id, found[0].begun_at)):
        message = f"there is no session {session_id}"
        raise NotFoundException(message)
    return found[0]


def _wish(connection: Connection[Any], data: DecisionWish, by: str) -> ChoiceWish:
    attested: Attested | None = None
    if data.choice == "attest":
        register = None if data.register_wh is None else Decimal(data.register_wh)
        attested = stop_said_of(
            connection, data.session, ended_at=data.ended_at, meter_stop_wh=register
        )
    return ChoiceWish(
        data.session,
        data.choice,
        by,
        data.reason,
        looked_at=data.moves,
        attested=attested,
        is_sure=data.is_sure,
    )


def _decision(
    session: SessionSummary, would: ChoicePreview, *, is_recorded: bool, waits: bool
) -> SessionDecision:
    moved = would.moved
    return SessionDecision(
        session=session.session_id,
        state=SessionState(session.state),
        revision=session.revision,
        is_recorded=is_recorded,
        waits_for_second=waits,
        moved=amount_text(moved.minor, moved.currency) if moved.currency else "0",
        currency=moved.currency,
        moves=moved.shown,
        doubts=[*would.doubts],
        reasons=session.reasons or [reason.code for reason in would.reasons],
    )

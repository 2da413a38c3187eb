"""Deciding about a session: first what a choice would come to, then the choice, with its reason.

What moves more than the policy's `payment_approval_above` is proposed by one person, and made once
another says the same (`ledger.desk.second_person`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import QueryParameter
from psycopg import Connection

from ledger.desk.choices import Chosen
from ledger.desk.second_person import (
    ProposedChoice,
    proposed_choices,
    takes_two,
)
from ledger.desk.validations import validate
from ledger.desk.withdrawing.withdrawn import REASON_MAX, About, Withdrawal, withdraw
from ledger.log.envelope import ChoiceKind
from ledger.log.event_log import EventLog
from ledger.sessions.states import SessionState
from ledger.users.roles import Permission
from projections.console.entry import RoleMissingError, needs
from projections.console.links import session_link
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.rated_lines import lines_listing
from projections.console.parts.typed_form import ThisForm, TypedForm
from projections.console.sentences import flag_words, reason_words
from projections.console.sessions.deciding.attested import TypedStop, known_stop, read_stop
from projections.console.sessions.found import FoundSession, find_session, rating_of
from projections.console.sessions.words_of_sessions import CHOICES, MEANT, STATES, money
from projections.deciding.attesting import NothingAttestedError, WordDoubtedError, WordRefutedError
from projections.deciding.choosing import ChoiceWish, MovesOtherwiseError, make_choice
from projections.deciding.preview import ChoicePreview, possible_choices, preview

_OF_CREDIT: Final = frozenset({"credit", "uphold"})
_OPPOSITE: Final[Mapping[ChoiceKind, SessionState]] = {
    "release": SessionState.WRITTEN_OFF,
    "write_off": SessionState.RELEASED,
}
"""What another person made of it a moment before."""
_LINES_MAX: Final = 1_000
NOTHING_YET: Final = ChoicePreview(None, None)
"""Of a stop that nobody said yet, or that cannot be."""
Lines = Annotated[list[int] | None, QueryParameter(name="line")]


class WantedChoice(NamedTuple):
    """What is to be decided: a choice about a session, of these lines of its rating (none: all).

    `stop`: what is typed of its stop, where that is attested.
    """

    found: FoundSession
    choice: ChoiceKind
    lines: Sequence[int]
    stop: TypedStop | None = None


class DecidingPages(Controller):
    """A choice about a session: looked at, made, proposed and withdrawn."""

    path = "/decide"

    @get("/", opt=needs(Permission.DECIDE_SESSIONS), sync_to_thread=True)
    def looked_at(self, page: ThisPage, lines: Lines = None) -> Response[str]:
        """Show what a choice would come to."""
        asked = page.address.of
        with page.console.reading() as connection:
            wanted = _wanted(page, connection, asked("session"), asked("choice"), lines or ())
            typed = TypedStop(asked("ended").strip(), asked("register").strip(), "")
            wanted = _with_stop(page, connection, wanted, typed)
            return _shown(page, connection, wanted)

    @post("/", opt=needs(Permission.DECIDE_SESSIONS), sync_to_thread=True)
    def decided(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Make a choice, or propose it where that takes two."""
        lines = _typed_lines(form)
        with page.console.desk.opened() as (connection, log):
            wanted = _wanted(page, connection, form.of("session"), form.of("choice"), lines)
            typed = TypedStop(form.of("ended"), form.of("register"), "")
            wanted = _with_stop(page, connection, wanted, typed)
            session, reason = wanted.found.session, form.of("reason")
            if not reason or len(reason) > REASON_MAX:
                trouble = page.text("Say why, in at most {count} characters.", count=REASON_MAX)
                return _shown(page, connection, wanted, trouble=trouble)
            if form.of("revision") != str(session.revision):
                trouble = page.text("It was decided otherwise meanwhile: look at it again.")
                return _shown(page, connection, wanted, trouble=trouble)
            wish = ChoiceWish(
                session.session_id,
                wanted.choice,
                page.user.name,
                reason,
                lines,
                looked_at=form.of("moves"),
                attested=wanted.stop.attested if wanted.stop else None,
                is_sure=form.of("sure") == "yes",
            )
            done = _made(page, connection, wanted, wish, log)
            if isinstance(done, str):
                return _shown(page, connection, wanted, trouble=done)
            now = find_session(page, connection, session.session_id).session
        return page.go(session_link(session.session_id), _said(page, wanted, done, now.revision))

    @post("/withdraw", opt=needs(Permission.DECIDE_SESSIONS), sync_to_thread=True)
    def withdrawn(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Take back what waits for a second person; who did, and why, is kept."""
        session_id, because = form.of("session"), form.of("because")
        if not because or len(because) > REASON_MAX:
            message = page.text("Say why, in at most {count} characters.", count=REASON_MAX)
            raise ValidationException(message)
        with page.console.desk.opened() as (connection, _):
            find_session(page, connection, session_id, Permission.DECIDE_SESSIONS)
            how = Withdrawal(page.user.name, because, page.now)
            withdraw(connection, About.SESSION, session_id, how)
        return page.go(session_link(session_id), page.text("It waits for nobody any more."))

    @post("/code", opt=needs(Permission.DECIDE_SESSIONS), sync_to_thread=True)
    def code_shown(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Record that a voucher, a coupon or a hotel stay was shown for a session."""
        session_id, code = form.of("session"), form.of("code")
        with page.console.desk.opened() as (connection, log):
            find_session(page, connection, session_id, Permission.DECIDE_SESSIONS)
            done = validate(
                connection,
                session_id,
                code=code,
                by=page.user.name,
                at=page.now,
                log=log,
                work_off=page.console.desk.work_off,
            )
        said = page.text("It has the codes {codes}.", codes=", ".join(done.codes))
        return page.go(session_link(session_id), said)


def _wanted(
    page: ConsolePage,
    connection: Connection[Any],
    session_id: str,
    choice: str,
    lines: Sequence[int],
) -> WantedChoice:
    """Return what is to be decided, by who may.

    Raises:
        NotFoundException: If there is no such session within reach, or no such choice.
        RoleMissingError: If what was billed is to be given back, and who asks may not.
        ValidationException: If it cannot be chosen, or its rating has no such line.
    """
    kinds = [each for each in CHOICES if each == choice]
    if not kinds:
        message = f"there is no choice {choice}"
        raise NotFoundException(message)
    [kind] = kinds
    found = find_session(page, connection, session_id, Permission.DECIDE_SESSIONS)
    if kind in _OF_CREDIT and not page.user.may(Permission.CREDIT):
        raise RoleMissingError
    if kind in _OF_CREDIT:
        find_session(page, connection, session_id, Permission.CREDIT)
    if kind not in possible_choices(found.session):
        state = page.text(STATES[SessionState(found.session.state)])
        message = page.text(
            "This session is as follows: {state}. That cannot be chosen about it.", state=state
        )
        raise ValidationException(message)
    if lines:
        rated = rating_of(connection, found.session)
        known = {each.line for each in rated.lines} if rated else set()
        if kind not in {"credit", "dispute"} or not known.issuperset(lines):
            message = page.text("Its price has no such line.")
            raise ValidationException(message)
    return WantedChoice(found, kind, sorted(set(lines)))


def _with_stop(
    page: ConsolePage, connection: Connection[Any], wanted: WantedChoice, typed: TypedStop
) -> WantedChoice:
    """Return *wanted* with what is *typed* of the session's stop, where that is attested."""
    if wanted.choice != "attest":
        return wanted
    inside, session = wanted.found
    zone = inside.zone_at(session.station_id, session.begun_at)
    stop = known_stop(page, connection, session, zone)
    if typed.ended or typed.register:
        stop = read_stop(page, stop, session, zone, typed)
    return wanted._replace(stop=stop)


def _typed_lines(form: TypedForm) -> list[int]:
    texts = list(form.all("line"))[:_LINES_MAX]
    if not all(each.isascii() and each.isdigit() and len(each) < len("10000000") for each in texts):
        message = "line: a line's number"
        raise ValidationException(message)
    return sorted({int(each) for each in texts})


def _made(
    page: ConsolePage,
    connection: Connection[Any],
    wanted: WantedChoice,
    wish: ChoiceWish,
    log: EventLog,
) -> Chosen | ProposedChoice | str:
    """Make or propose what is wanted; where something stands in the way return that in words."""
    try:
        return make_choice(
            connection,
            wanted.found.inside.declarations,
            wish,
            at=page.now,
            log=log,
            work_off=page.console.desk.work_off,
        )
    except NothingAttestedError:
        return page.text("Say when it ended: its station did not.")
    except WordRefutedError as error:
        return _refuted(page, error)
    except WordDoubtedError:
        return page.text("Say that you are sure, or say it otherwise.")
    except MovesOtherwiseError:
        return page.text("What it would come to has changed meanwhile: look at it again.")


def _refuted(page: ConsolePage, error: WordRefutedError) -> str:
    return page.text("It did not end so: {why}.", why=page.text(error.why))


def _would(
    page: ConsolePage, connection: Connection[Any], wanted: WantedChoice
) -> tuple[ChoicePreview, str]:
    """Return what a choice would come to, and why what is attested cannot be."""
    inside, session = wanted.found
    stop = wanted.stop
    if stop is not None and stop.attested is None:
        return NOTHING_YET, stop.trouble
    attested = stop.attested if stop else None
    try:
        would = preview(
            connection,
            inside.declarations,
            session,
            wanted.choice,
            wanted.lines,
            at=page.now,
            attested=attested,
        )
    except WordRefutedError as error:
        return NOTHING_YET, _refuted(page, error)
    return would, ""


def _shown(
    page: ConsolePage, connection: Connection[Any], wanted: WantedChoice, trouble: str = ""
) -> Response[str]:
    inside, session = wanted.found
    would, refuted = _would(page, connection, wanted)
    trouble = refuted or trouble
    zone = inside.zone_at(session.station_id, session.begun_at)
    policy = inside.declarations.policy(page.now)
    waiting = proposed_choices(connection, [session.session_id]).get(session.session_id)
    now = would.now if would.now is not would.was else None
    return page.show(
        "sessions/decide.html.j2",
        status=400 if trouble else 200,
        trouble=trouble,
        session=session,
        session_href=session_link(session.session_id),
        choice=wanted.choice,
        title=CHOICES[wanted.choice],
        meant=MEANT[wanted.choice],
        chosen=wanted.lines,
        chooses_lines=wanted.choice in {"credit", "dispute"},
        was_lines=would.was.lines if would.was else (),
        line_text=lambda each: money(page, each.net_minor + each.tax_minor, would.currency),
        lines=lines_listing(page, now, zone) if now else None,
        reasons=reason_words(page.words, would.reasons, {}),
        is_same=would.was is would.now and not would.reasons,
        was=_gross(page, would.was.gross_minor if would.was else None, would.currency),
        now=_gross(page, would.now.gross_minor if would.now else None, would.currency),
        moves=would.moved.shown,
        moved=_gross(page, would.moved_minor, would.currency),
        takes_two=takes_two(policy, would.moved),
        stop=wanted.stop,
        may_decide=would is not NOTHING_YET,
        doubts=[flag_words(page.words, each) for each in would.doubts],
        waiting=waiting,
        reason_max=REASON_MAX,
    )


def _gross(page: ConsolePage, minor: int | None, currency: str) -> str:
    return page.text("nothing") if minor is None or not currency else money(page, minor, currency)


def _said(
    page: ConsolePage, wanted: WantedChoice, done: Chosen | ProposedChoice, revision: int
) -> str:
    """Return what became of a choice."""
    what = page.text(CHOICES[wanted.choice])
    if isinstance(done, ProposedChoice):
        return page.text("{what}: it waits for a second person.", what=what)
    if done.state == _OPPOSITE.get(wanted.choice):
        return page.text("It was decided otherwise meanwhile: look at it again.")
    state = page.text(STATES[SessionState(done.state)])
    if wanted.choice in {"correct", "credit", "uphold"}:
        was = wanted.found.session.revision
        if revision == was:
            return page.text("{what}: nothing of its price is otherwise.", what=what)
    if done.reasons and wanted.choice == "take_back" and done.state == SessionState.RATED:
        message = (
            "Its release is taken back: nothing of it is billed, until its doubts are settled."
        )
        return page.text(message)
    if done.reasons:
        return page.text("{what}: it is {state}, and still waits.", what=what, state=state)
    return page.text("{what}: done. It is {state}.", what=what, state=state)

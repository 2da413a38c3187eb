"""The audit trail of an invoice: from each line to its price, its periods, readings and frames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.facts.flags import meaning_of
from ledger.invoices.shown import InvoiceLine
from ledger.log.event_log import EventLog, Position
from ledger.rating.decisions import (
    RatedLine,
    SessionRated,
    SessionRevision,
    encode_decision,
    hash_decision,
)
from ledger.rating.english import ENGLISH, line_label, line_words
from ledger.sessions.session import ChargingSession
from ledger.sessions.vehicle.billed_time import BilledTime, billed_time
from projections.audit.corrections import (
    Correction,
    CreditedBecause,
    correction_by,
    credited_because,
    later_revision,
)
from projections.audit.partner_cdrs import PartnerCdr, partner_cdr
from projections.audit.payments import Payment, payments_for
from projections.audit.raw_frames import RawFrame, read_frames
from projections.audit.shown_documents import issued_text, shown_text
from projections.audit.usage_curve import Period, UsageCurve
from projections.documents.paid import InvoicePayments, payments_of
from projections.energy.session_then import session_then
from projections.errors import LongDocumentError, UnknownLineError

_AT: Final = attrgetter("at")
_Known = Declarations | None


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Why a line costs what it costs: the element that priced it, and the sentence that says so."""

    tariff_id: str
    tariff_hash: str
    assignment: str
    element: int | None
    element_name: str | None
    grant: str | None
    reason: str


class Rating(msgspec.Struct, frozen=True, kw_only=True, rename={"log_position": "log_place"}):
    """The decision behind a line, with everything it was taken from that is not a frame.

    `corrects`: of a correction. `corrected_by`: the revision that holds in its place, if any.
    """

    session_id: str
    revision: int
    station_id: str
    decided_at: datetime
    log_position: str
    sha256: str
    declared_version: int
    kernel_version: str
    policy: str
    tzdata_version: str
    released_by: str | None
    released_because: str | None
    flags: dict[str, str]
    by_policy: tuple[str, ...]
    notes: tuple[str, ...]
    exported_wh: Decimal | None
    payments: tuple[Payment, ...]
    corrects: Correction | None
    corrected_by: int | None


class UsedReading(msgspec.Struct, frozen=True, kw_only=True):
    """A register reading: energies in Wh; `register_wh` None where it was derived."""

    at: datetime
    register_wh: Decimal | None
    energy_wh: Decimal
    frame: RawFrame | None


class ExplainedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice line with everything under it. `session_frames` counts the session's frames.

    `credited`: of a credit note, why the line is owed no more. `partner_cdr`: of a session at a
    partner's station, which has neither readings nor frames here.
    """

    line: InvoiceLine
    price: Price
    rating: Rating
    periods: tuple[Period, ...]
    readings: tuple[UsedReading, ...]
    start_frame: RawFrame | None
    end_frame: RawFrame | None
    session_frames: int
    credited: CreditedBecause | None = None
    partner_cdr: PartnerCdr | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, or one line of it, explained. Amounts are minor units as in the document.

    `rounding` is the invoice's own line, which no session is behind. `credits`: of a credit note,
    the number of the invoice; of an invoice, its `payments`.
    """

    number: str
    credits: str | None
    issued_on: date
    sha256: str
    seller: str
    buyer: str
    currency: str
    currency_exponent: int
    gross_minor: int
    due_minor: int
    lines: tuple[ExplainedLine, ...]
    rounding: InvoiceLine | None = None
    payments: InvoicePayments | None = None


def explain(
    connection: Connection[Any],
    log: EventLog,
    number: str,
    line: int | None = None,
    *,
    known: _Known = None,
    sessions_max: int | None = None,
) -> Explanation:
    """Explain invoice *number*, or its *line*, down to the frames in *log*; *known*: a snapshot.

    Raises:
        UnknownInvoiceError: If there is no such invoice.
        UnknownLineError: If it has no such line.
        LongDocumentError: If it has more than *sessions_max* sessions.
    """
    text, sha256 = issued_text(connection, number)
    document = shown_text(connection, text, sessions_max)
    if sessions_max is not None and not document.sessions:
        raise LongDocumentError(number, sessions_max)
    chosen = [each for each in document.lines if line in {None, each.line}]
    if not chosen and line is not None:
        raise UnknownLineError(number, line, len(document.lines))
    trails = {
        session: _Trail(connection, log, session, known)
        for session in dict.fromkeys(_session(each) for each in chosen if not each.is_rounding)
    }
    why = credited_because(connection, document)
    return Explanation(
        number=document.number,
        credits=document.credits.number if document.credits else None,
        issued_on=document.issued_on,
        sha256=sha256,
        seller=document.seller.name,
        buyer=document.buyer.name,
        currency=document.currency,
        currency_exponent=document.currency_exponent,
        gross_minor=document.gross_minor,
        due_minor=document.due_minor,
        lines=tuple(
            trails[_session(each)].explained(each, why.get(each.line))
            for each in chosen
            if not each.is_rounding
        ),
        rounding=next((each for each in chosen if each.is_rounding), None),
        payments=payments_of(connection, number) if line is None else None,
    )


def _session(line: InvoiceLine) -> SessionRevision:
    return SessionRevision(line.session_id, line.revision)


class _Trail:
    """What led to one session's lines: its decision, and the fold of what was known then."""

    def __init__(
        self, connection: Connection[Any], log: EventLog, session: SessionRevision, known: _Known
    ) -> None:
        [self._decision] = rated_sessions(connection, [session])
        decision, moment = self._decision, self._decision.moment
        # With what was known then: later facts and declarations would explain another price.
        declarations = load_declarations(connection, decision.declared_version, known=known)
        self._partner_cdr = partner_cdr(connection, log, decision)
        is_ours = self._partner_cdr is None
        self._session = session_then(connection, declarations, decision) if is_ours else None
        self._billed = _billed(self._session, declarations)
        self._payments = payments_for(connection, self._session)
        self._corrects = correction_by(connection, log, decision)
        self._corrected_by = later_revision(connection, session)
        self._partition = moment.partition
        self._frames = read_frames(connection, log, self._positions())
        self._lines = {each.line: each for each in decision.lines}
        points = self._session.points if self._session else ()
        self._points = sorted(points, key=_AT)
        self._curve = UsageCurve(self._billed) if self._billed else None

    def explained(
        self, line: InvoiceLine, credited: CreditedBecause | None = None
    ) -> ExplainedLine:
        """Return *line* with all that is known of it."""
        decision, rated = self._decision, self._lines[line.rated_line]
        frames = self._session.frames if self._session else ()
        return ExplainedLine(
            line=line,
            price=_price(decision, rated),
            rating=self._rating,
            periods=tuple(self._curve.periods(rated)) if self._curve else (),
            readings=tuple(self._readings(rated)),
            start_frame=self._frame(*self._ends()[0]) if frames else None,
            end_frame=self._frame(*self._ends()[-1]) if frames else None,
            session_frames=len(frames),
            credited=credited,
            partner_cdr=self._partner_cdr,
        )

    @cached_property
    def _rating(self) -> Rating:
        return _rating(self._decision, self._payments, self._corrects, self._corrected_by)

    def _positions(self) -> Iterable[Position]:
        session = self._session
        if session is None:
            return
        for position, line in self._ends():
            yield Position(self._partition, position, line)
        for point in session.points:
            yield Position(self._partition, point.position, point.line)

    def _ends(self) -> Sequence[tuple[int, int]]:
        """Return where the frames stand that tell the session's first and last reading."""
        if self._session is None:
            return ()
        points = [(point.position, point.line) for point in self._session.points]
        known = points or list(self._session.frames)
        return known[:1] + known[-1:]

    def _frame(self, position: int, line: int) -> RawFrame | None:
        return self._frames.get(Position(self._partition, position, line))

    def _readings(self, rated: RatedLine) -> Iterable[UsedReading]:
        """Yield the readings within the line's time, and the one before and after it."""
        points = self._points
        first = bisect_right(points, rated.starts_at, key=_AT)
        since = points[first - 1].at if first else rated.starts_at
        last = bisect_left(points, rated.ends_at, key=_AT)
        until = points[last].at if last < len(points) else rated.ends_at
        begin, end = bisect_left(points, since, key=_AT), bisect_right(points, until, key=_AT)
        for point in points[begin:end]:
            yield UsedReading(
                at=point.at,
                register_wh=point.register_wh,
                energy_wh=point.energy_wh,
                frame=self._frame(point.position, point.line),
            )


def _billed(session: ChargingSession | None, declarations: Declarations) -> BilledTime | None:
    ended_at = (session.ended_at or session.provisional_ended_at) if session else None
    if session is None or session.started_at is None or ended_at is None:
        return None
    return billed_time(session, ended_at, declarations.policy(session.started_at))


def _price(decision: SessionRated, rated: RatedLine) -> Price:
    return Price(
        tariff_id=decision.tariff_id,
        tariff_hash=decision.tariff_hash,
        assignment=decision.assignment,
        element=rated.element,
        element_name=rated.element_name,
        grant=line_label(rated, decision.currency),
        reason=line_words(rated, decision.currency),
    )


def _rating(
    decision: SessionRated,
    payments: tuple[Payment, ...],
    corrects: Correction | None,
    corrected_by: int | None,
) -> Rating:
    release, moment = decision.release, decision.moment
    return Rating(
        session_id=decision.session_id,
        revision=decision.revision,
        station_id=decision.station_id,
        decided_at=moment.at,
        log_position=f"{moment.partition}/{moment.position}",
        sha256=hash_decision(encode_decision(decision)),
        declared_version=decision.declared_version,
        kernel_version=decision.kernel_version,
        policy=f"{decision.policy} {decision.policy_version}",
        tzdata_version=decision.tzdata_version,
        released_by=release.by if release else None,
        released_because=release.reason if release else None,
        flags={flag: meaning_of(flag) for flag in decision.flags},
        by_policy=tuple(map(ENGLISH.words, decision.by_policy)),
        notes=tuple(map(ENGLISH.words, decision.notes)),
        exported_wh=decision.exported_wh,
        payments=payments,
        corrects=corrects,
        corrected_by=corrected_by,
    )

"""Rating: from a charging session and the master data of its time to a decision. Pure.

When may a session be billed? Too early, and the message that was missing costs a credit note and a
second invoice; too late, and its month is invoiced without it. And nothing that was only estimated
may be billed without somebody knowing.

There are three answers. Rated: its end is known, no flag of it blocks, the energy is known, and
master data says by which tariff and who pays. Waiting: something is open that a further frame can
settle. Held: it has waited long enough, or no frame can settle it; then a person decides. How long
it waits is policy: an ended session `wait_s` (an hour) after its last fact, an open one until its
station told nothing for `silence_s` (a day).

10 kWh from 12:00 to 13:00 at 0.40 EUR before 19 % VAT:

    nothing open                                -> rated: 4.76 EUR
    sequence number missing, asked at 13:00     -> waiting until 14:00
    the same, asked at 14:00                    -> held: seq_gap
    no stop, last fact at 13:00                 -> waiting until 13:00 of the next day, then held
    token that nobody declared                  -> held at once: token_unknown
    clock never set, a price per kWh alone      -> rated: no time of day changes that price
    the same, and another price since that day  -> waiting, then held: clock_unsynced
    five years long, whatever the price         -> waiting, then held: session_too_long
    clock never set, a price for parking too    -> waiting, then held: clock_unsynced

Time comes in as an argument: the record's time of receipt, or a tick's. A clock read here would
make a replay decide otherwise. A session is released as it is, flags and all, and the decision
names who said so; what cannot be priced at all stays held even then.

What must stay true: nothing is rated before its end is known, nothing raises (what the kernel
refuses is held with its reason), and the same inputs give the same bytes:
tests/ledger/rating/test_rating.py and tests/ledger/sessions/test_states.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.facts.flags import STOP_IS_GONE, Flag
from ledger.facts.station_facts import StopAttested
from ledger.master_data.policies import Policy
from ledger.rating.basis import TIME_BLOCKERS, Basis, Terms, terms_of
from ledger.rating.decisions import (
    FIRST_REVISION,
    Moment,
    Release,
    SessionHeld,
    SessionRated,
    SessionWrittenOff,
    Waiting,
)
from ledger.rating.entitlements import NO_ENTITLEMENTS, Entitlements
from ledger.rating.payers import token_objections
from ledger.rating.rate import rate
from ledger.rating.reconciling.chosen_limit import with_limits
from ledger.rating.reconciling.giving_back import with_given_back
from ledger.rating.reconciling.station_cost import cost_difference
from ledger.rating.reconciling.station_periods import noted_on, period_differences
from ledger.sessions.session import ChargingSession
from tariffs.errors import TariffError
from tariffs.phrases.phrase import Phrase, bounded, phrase


def decide(
    session: ChargingSession,
    declarations: Declarations,
    *,
    moment: Moment,
    heard_at: datetime | None = None,
    entitlements: Entitlements = NO_ENTITLEMENTS,
    revision: int = FIRST_REVISION,
) -> SessionRated | SessionHeld | Waiting:
    """Rate *session* if it is complete; else say how long it waits, or hold it.

    Args:
        session: The fold of every fact up to *moment*.
        declarations: Master data as known at *moment*; looked up at the session's start.
        moment: The log record at which this is asked; its time is what the policy's waits end at.
        heard_at: When the station last said anything at all; the session's last fact if None.
        entitlements: Codes shown for the session, and what others used of shared grants.
        revision: Which decision about the session it is, or leads to.
    """
    terms = terms_of(session, declarations)
    basis, objections = terms.basis, objections_of(terms)
    unsettled = _unsettled(session, terms)
    if unsettled:
        reasons = (*unsettled, *objections)
        return _wait_or_hold(session, declarations, reasons, moment, heard_at, revision)
    if basis is None or objections:
        return _held(session, declarations, objections, moment, revision)
    return _rated_or_held(session, declarations, basis, terms, moment, entitlements, None, revision)


def release(
    session: ChargingSession,
    declarations: Declarations,
    *,
    moment: Moment,
    by: str,
    reason: str,
    entitlements: Entitlements = NO_ENTITLEMENTS,
    revision: int = FIRST_REVISION,
) -> SessionRated | SessionHeld:
    """Rate a held *session* as it is, because a person says so; flags stay on it.

    What cannot be priced at all (no start, no energy, no tariff) stays held, with that reason.
    """
    terms = terms_of(session, declarations)
    basis, objections = terms.basis, terms.objections
    if session.energy_wh is None:
        objections = (*objections, phrase("energy_unknown"))
    if session.started_at is None:
        objections = (*objections, phrase("start_unknown"))
    # Any other objection to the token is what the person who releases overrules.
    if session.token_uid is None:
        objections = (*objections, *token_objections(terms.driver, terms.policy, terms.at))
    if basis is None or objections:
        return _held(session, declarations, objections, moment, revision)
    chosen = Release(by=by, reason=reason)
    return _rated_or_held(
        session, declarations, basis, terms, moment, entitlements, chosen, revision
    )


def write_off(
    session: ChargingSession,
    declarations: Declarations,
    *,
    moment: Moment,
    by: str,
    reason: str,
    revision: int = FIRST_REVISION,
) -> SessionWrittenOff:
    """Give up a held *session*, because a person says so: nothing is ever billed for it."""
    return SessionWrittenOff(
        session_id=session.session_id,
        revision=revision,
        station_id=session.station_id,
        moment=moment,
        declared_version=declarations.version,
        flags=session.flags,
        energy_wh=session.energy_wh,
        by=by,
        reason=reason,
    )


def _rated_or_held(
    session: ChargingSession,
    declarations: Declarations,
    basis: Basis,
    terms: Terms,
    moment: Moment,
    entitlements: Entitlements,
    release: Release | None,
    revision: int,
) -> SessionRated | SessionHeld:
    """Return the rating; what the kernel refuses is held with its reason, and stops nothing."""
    try:
        rated = rate(
            session,
            basis,
            terms,
            moment=moment,
            entitlements=entitlements,
            release=release,
            revision=revision,
        )
    except (TariffError, LedgerError) as error:
        return _held(session, declarations, (refused(error),), moment, revision)
    # Nearly always a station quotes nothing, and its tariff need not be looked through.
    is_timed = session.quote is not None and basis.depends_on_time()
    periods = period_differences(session, terms.policy, is_timed=is_timed)
    difference = cost_difference(session.quote, rated)
    rated = with_limits(attested_on(rated, session.attested), session)
    given_back = entitlements.corrects.given_back if entitlements.corrects else ()
    if difference is None:
        return noted_on(with_given_back(rated, given_back), periods)
    if release is None and difference.forbids_rating(terms.policy):
        reasons = (difference.said, *periods)
        held = _held(session, declarations, reasons, moment, revision)
        # Our figure hangs on what the clocks showed.
        return replace(held, tzdata_version=rated.tzdata_version, offsets=rated.offsets)
    return noted_on(difference.noted_on(with_given_back(rated, given_back)), periods)


def attested_on(rated: SessionRated, stop: StopAttested | None) -> SessionRated:
    """Return *rated* with who said when it ended, and what the meter showed; None: its station."""
    if stop is None:
        return rated
    kwh = None if stop.meter_stop_wh is None else stop.meter_stop_wh / 1000
    said = phrase("attested_by", by=bounded(stop.by), why=bounded(stop.why), kwh=kwh)
    return replace(rated, notes=(*rated.notes, said))


def refused(error: TariffError | LedgerError) -> Phrase:
    """Return that a session could not be priced, and why."""
    return phrase("pricing_refused", why=error.said or bounded(str(error)))


def objections_of(terms: Terms) -> tuple[Phrase, ...]:
    """Return all that the declarations have against rating a session without a person."""
    # Named whatever else is open: who releases the session must see that its token may not charge.
    return (*terms.objections, *token_objections(terms.driver, terms.policy, terms.at))


def _unsettled(session: ChargingSession, terms: Terms) -> tuple[Phrase, ...]:
    """Return what new facts may still settle: an open end, blocking flags, no energy."""
    reasons = list(blocking(session, terms))
    lost = Flag.STOP_LOST
    if not session.is_ended and lost not in {reason.code for reason in reasons}:
        reasons.append(phrase("stop_lost"))
    if session.is_ended and session.energy_wh is None and not reasons:
        reasons.append(phrase("energy_unknown"))
    return tuple(reasons)


def blocking(session: ChargingSession, terms: Terms) -> tuple[Phrase, ...]:
    """Return what forbids a price of *session* by *terms*: its flags, and times beyond belief."""
    blockers = set(session.blockers)
    # A clock that was never set makes no kWh dearer.
    if not TIME_BLOCKERS.isdisjoint(blockers) and terms.forgives_time:
        blockers -= TIME_BLOCKERS
    return (*(_blocked(flag) for flag in sorted(blockers)), *_beyond_belief(session, terms.policy))


def _beyond_belief(session: ChargingSession, policy: Policy) -> Iterator[Phrase]:
    """Yield how the times of *session* pass the policy's bounds; whatever its price looks at.

    By its start all is looked up: tariff, token, who pays. A wrong year makes these wrong too.
    """
    duration, ended_at = session.duration, session.ended_at or session.provisional_ended_at
    if duration is not None and duration > timedelta(seconds=policy.max_session_s):
        yield phrase("session_too_long", days=duration.days)
    if ended_at is not None:
        # By what was told first: a copy of a frame may come at any time.
        delay = session.first_received_at - ended_at
        if delay > timedelta(seconds=policy.max_delay_s):
            yield phrase("told_too_late", days=delay.days)


def _blocked(flag: str) -> Phrase:
    # The code of a flag is its name. A lost stop has two: its own, and that nothing came any more.
    return phrase("stop_lost", shown_by="next_session") if flag == Flag.STOP_LOST else Phrase(flag)


def _wait_or_hold(
    session: ChargingSession,
    declarations: Declarations,
    reasons: tuple[Phrase, ...],
    moment: Moment,
    heard_at: datetime | None,
    revision: int,
) -> SessionHeld | Waiting:
    policy = declarations.policy(moment.at)
    until = session.last_received_at + timedelta(seconds=policy.wait_s)
    # A next session there proves the stop lost, or its station says so: nothing is worth a day of
    # waiting then.
    if not session.is_ended and STOP_IS_GONE.isdisjoint(session.flags):
        heard = max(heard_at or session.last_received_at, session.last_received_at)
        until = heard + timedelta(seconds=policy.silence_s)
    if moment.at < until:
        return Waiting(until=until, reasons=reasons)
    return _held(session, declarations, reasons, moment, revision)


def _held(
    session: ChargingSession,
    declarations: Declarations,
    reasons: tuple[Phrase, ...],
    moment: Moment,
    revision: int,
) -> SessionHeld:
    return SessionHeld(
        session_id=session.session_id,
        revision=revision,
        station_id=session.station_id,
        moment=moment,
        declared_version=declarations.version,
        flags=session.flags,
        started_at=session.started_at,
        energy_wh=session.energy_wh,
        reasons=reasons,
    )

"""The verdict on a partner's CDR: a pure function of it and of what was known when it came.

Each thing that is found is a code with parameters; the worst of them makes the verdict. Whatever
comes later changes no verdict but by a line of the log of its own.

Held by tests/roaming_ocpi/incoming/verdicts/test_judging.py: each code at its boundary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from roaming_ocpi.incoming.told import ToldCdr
from roaming_ocpi.incoming.verdicts.known import CdrBefore, CdrSurroundings, SessionBefore
from roaming_ocpi.incoming.verdicts.repricing import Repricer, tolerance_of
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict, verdict_of
from tariffs.cdr.cdr import Cdr
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.phrase import Phrase, bounded, phrase
from tariffs.quantities import EXACT

LATE: Final = timedelta(days=30)
"""So long after its end a CDR may come without a word."""
AHEAD: Final = timedelta(minutes=5)
"""So far the partner's clock may be ahead of ours."""
SLACK: Final = timedelta(minutes=1)
"""By so much the times of a CDR and of its session may differ."""
ENERGY_SLACK_KWH: Final = Decimal("0.001")
"""By so much the energy of a CDR and of its session may differ: both are rounded."""
ENERGY_KWH_MAX: Final = Decimal(2_000)
"""More than any vehicle's battery of today holds."""
POWER_KW_MAX: Final = Decimal(1_000)
"""More than any station of today gives, on average over a session."""
_HOUR: Final = timedelta(hours=1)
_AT_THE_START: Final = frozenset({"starts_before_cdr", "gap_at_start"})
_TOLD_TWICE: Final = frozenset({"cdr_duplicate", "cdr_overlaps"})
_ANYWHERE: Final = frozenset({"periods_missing", "dimension_repeated"})
"""What the reader notes about periods (`tariffs.ocpi.cdr_reader`)."""
_SECONDS_IN_HOUR: Final = Decimal(3600)


class JudgedCdr(NamedTuple):
    """What was found. `credits` is the CDR that it takes back, by its own id.

    `currency` is the CDR's, or where it says none that of its tariff.
    """

    verdict: CdrVerdict
    codes: tuple[Phrase, ...]
    currency: str | None = None
    is_credit: bool = False
    credits: str | None = None
    repriced_net: Decimal | None = None
    tariff_id: str | None = None


def judge_cdr(told: ToldCdr, around: CdrSurroundings, repricer: Repricer) -> JudgedCdr:
    """Return the verdict on *told*. Total and pure: *repricer* only spares work."""
    cdr = told.cdr
    if cdr is None:
        assert told.unread is not None, told.id
        found = phrase("cdr_unreadable", spot=told.unread.spot or None, why=told.unread.why)
        return JudgedCdr(verdict_of([found]), (found,))
    codes = [*_timely(told, cdr)]
    if told.subject is None or not around.is_ours:
        codes.append(phrase("cdr_token_unknown", token=told.subject))
    if cdr.currency is not None and cdr.currency not in CURRENCY_EXPONENTS:
        codes.append(phrase("cdr_currency_unknown", currency=bounded(cdr.currency)))
        return JudgedCdr(verdict_of(codes), tuple(codes), is_credit=cdr.is_credit)
    if told.net is None:
        codes.append(phrase("cdr_net_missing"))
    if cdr.is_credit:
        return _credit(told, around.original, cdr.credit_reference_id, codes)
    if _may_take_back(told, around):
        original = _taken_back(told, around.at_once)
        if original is not None or not _pays_the_driver(told, cdr, around, repricer):
            return _credit(told, original, None, codes)
    charged = _Charged(cdr.starts_at, cdr.ends_at, told.energy)
    codes += _told_twice(charged, around.of_session, around.at_once)
    codes += _plausible(told, cdr)
    codes += _odd_periods(told, cdr)
    if around.session is not None:
        codes += _of_session(told, cdr, around.session)
    return _repriced(told, cdr, around, repricer, codes)


def _repriced(
    told: ToldCdr, cdr: Cdr, around: CdrSurroundings, repricer: Repricer, codes: list[Phrase]
) -> JudgedCdr:
    """Judge what a CDR asks for, after all else that was found."""
    repriced = repricer.reprice(told, cdr, around)
    currency = cdr.currency or repriced.currency
    if currency is None:
        codes.append(phrase("cdr_currency_unknown"))
    elif around.session is not None:
        codes += _in_currency(told, cdr, around.session, currency)
    if told.net is not None and told.net < 0 and (repriced.net is None or repriced.net >= 0):
        codes.append(phrase("cdr_negative", stated=told.net))
    codes += repriced.codes
    return JudgedCdr(
        verdict_of(codes),
        tuple(codes),
        currency=currency,
        repriced_net=repriced.net,
        tariff_id=repriced.tariff_id,
    )


def _may_take_back(told: ToldCdr, around: CdrSurroundings) -> bool:
    """Whether a negative CDR takes another one back, for want of credit CDRs."""
    is_negative = told.net is not None and told.net < 0
    return is_negative and told.version is OcpiVersion.V2_1_1 and around.takes_negative


def _pays_the_driver(told: ToldCdr, cdr: Cdr, around: CdrSurroundings, repricer: Repricer) -> bool:
    """Whether it is negative by its tariff: there are those, and then it takes nothing back."""
    net = repricer.reprice(told, cdr, around).net
    return net is not None and net < 0


def _taking_back(told: ToldCdr, codes: Sequence[Phrase], original: str | None) -> JudgedCdr:
    currency = None if told.cdr is None else told.cdr.currency
    return JudgedCdr(verdict_of(codes), tuple(codes), currency, is_credit=True, credits=original)


def _timely(told: ToldCdr, cdr: Cdr) -> Iterator[Phrase]:
    after = told.received_at - cdr.ends_at
    if after > LATE:
        yield phrase("cdr_late", days=after.days)
    if -after > AHEAD:
        yield phrase("cdr_ahead", seconds=int(-after.total_seconds()))


def judge_waiting(
    credit: CdrBefore, found: Sequence[Phrase], original: CdrBefore
) -> tuple[Phrase, ...]:
    """Return what is found at a credit that came first, now that the CDR that it names is there.

    *found* is what was; whichever of the two comes first, the verdict is the same in the end.
    """
    before = (each for each in found if each.code != "cdr_credit_without_original")
    came_first = phrase("cdr_credit_came_first", credits=original.id)
    return (*before, *_against(credit, original), came_first)


def _credit(
    told: ToldCdr, original: CdrBefore | None, named: str | None, codes: list[Phrase]
) -> JudgedCdr:
    """Judge a CDR that takes another one back."""
    if original is None or original.is_credit:
        name = None if named is None else bounded(named)
        codes.append(phrase("cdr_credit_without_original", credits=name))
        return _taking_back(told, codes, None)
    currency = told.cdr.currency if told.cdr else None
    codes += _against(_Money(told.net, told.tax, currency), original)
    return _taking_back(told, codes, original.id)


class _Money(NamedTuple):
    """What a credit gives back."""

    net: Decimal | None
    tax: Decimal | None
    currency: str | None


def _against(credit: _Money | CdrBefore, original: CdrBefore) -> Iterator[Phrase]:
    """Yield how a credit is not its original, negated, and nothing else.

    Source: OCPI 2.2.1, mod_cdrs, Credit CDRs.
    """
    if original.credited_by is not None:
        before = original.credited_by
        yield phrase("cdr_credited_before", credits=original.id, other=before)
    same = (
        credit.net is not None
        and original.net is not None
        and credit.net == EXACT.minus(original.net)
        and credit.currency == original.currency
        and (credit.tax is None or original.tax is None or credit.tax == EXACT.minus(original.tax))
    )
    if not same:
        stated = _amount(credit.net, credit.currency)
        wanted = _amount(original.net, original.currency)
        yield phrase("cdr_credit_not_negating", stated=stated, wanted=wanted, credits=original.id)


def _amount(net: Decimal | None, currency: str | None) -> str:
    return " ".join([*([] if net is None else [f"{net:f}"]), *([currency] if currency else [])])


def _taken_back(told: ToldCdr, at_once: Sequence[CdrBefore]) -> CdrBefore | None:
    """Return which CDR a negative one of OCPI 2.1.1 takes back: the same charge, still owed.

    It has no field to name it by. The remark may, but stands in nobody's form, and is sealed.
    """
    assert told.cdr is not None
    assert told.net is not None
    for other in at_once:
        is_same = (other.started_at, other.ended_at) == (told.cdr.starts_at, told.cdr.ends_at)
        if is_same and other.net == EXACT.minus(told.net):
            return other
    return None


class _Charged(NamedTuple):
    """When, and how much."""

    starts_at: datetime
    ends_at: datetime
    energy: Decimal | None


def judge_beside(
    cdr: CdrBefore, found: Sequence[Phrase], of: CdrBefore, others: Sequence[CdrBefore]
) -> tuple[Phrase, ...] | None:
    """Return what is found at *cdr* now that *of* was taken back, or stands again; None: no change.

    *others* are those that came before *cdr* and count, in one order; *found* is what was. So it
    does not matter whether the one that stands for a CDR came before that was taken back, or after.
    """
    twice = [each for each in found if each.code in _TOLD_TWICE]
    is_about_another = any(each.parameters.get("other") != of.id for each in twice)
    if cdr.started_at is None or cdr.ended_at is None or is_about_another:
        return None
    key, subject = cdr.session_key, cdr.subject
    of_session = [each for each in others if key is not None and each.session_key == key]
    at_once = [each for each in others if subject is not None and each.subject == subject]
    charged = _Charged(cdr.started_at, cdr.ended_at, cdr.energy)
    now = list(_told_twice(charged, min(of_session, key=_by_key, default=None), at_once))
    if now == twice:
        return None
    place = found.index(twice[0]) if twice else len(found)
    rest = [each for each in found if each.code not in _TOLD_TWICE]
    return (*rest[:place], *now, *rest[place:])


def _by_key(cdr: CdrBefore) -> str:
    return cdr.key


def _told_twice(
    cdr: _Charged, of_session: CdrBefore | None, at_once: Sequence[CdrBefore]
) -> Iterator[Phrase]:
    if of_session is not None:
        yield phrase("cdr_duplicate", other=of_session.id)
        return
    overlaps = None
    for other in at_once:
        if (other.started_at, other.ended_at, other.energy) == cdr:
            yield phrase("cdr_duplicate", other=other.id)
            return
        if other.started_at is None or other.ended_at is None:
            continue
        if other.started_at < cdr.ends_at and cdr.starts_at < other.ended_at:
            overlaps = overlaps or other
    if overlaps is not None:
        yield phrase("cdr_overlaps", other=overlaps.id)


def _plausible(told: ToldCdr, cdr: Cdr) -> Iterator[Phrase]:
    energy = told.energy or Decimal(0)
    if energy > ENERGY_KWH_MAX:
        yield phrase("cdr_energy_absurd", energy=energy)
    lasted = cdr.ends_at - cdr.starts_at
    seconds = lasted.days * 86_400 + lasted.seconds
    if EXACT.multiply(energy, _SECONDS_IN_HOUR) > POWER_KW_MAX * max(seconds, 1):
        yield phrase("cdr_power_absurd", energy=energy, seconds=seconds)


def _odd_periods(told: ToldCdr, cdr: Cdr) -> Iterator[Phrase]:
    """Yield what of its periods is not the time that it says of itself, each kind once."""
    far = abs(cdr.periods[0].starts_at - cdr.starts_at) > SLACK
    for note in {each.code: each for each in reversed(told.notes)}.values():
        spot, why = bounded(note.spot or ""), bounded(note.message)
        if note.code == "longer_than_period":
            yield phrase("cdr_hours_exceed", spot=spot, why=why)
        elif note.code in _ANYWHERE or (far and note.code in _AT_THE_START):
            yield phrase("cdr_periods_odd", spot=spot, why=why)


def _of_session(told: ToldCdr, cdr: Cdr, session: SessionBefore) -> Iterator[Phrase]:
    """Yield how the CDR contradicts what was told of its session while it went on."""
    began, ended = session.started_at, session.ended_at
    if (began is not None and abs(cdr.starts_at - began) > SLACK) or (
        ended is not None and abs(cdr.ends_at - ended) > SLACK
    ):
        yield phrase(
            "cdr_outside_session",
            starts_at=_moment(cdr.starts_at.isoformat()),
            ends_at=_moment(cdr.ends_at.isoformat()),
            session_starts_at="?" if began is None else _moment(began.isoformat()),
            session_ends_at=None if ended is None else _moment(ended.isoformat()),
        )
    energy = told.energy or Decimal(0)
    if session.energy is not None:
        less = EXACT.subtract(session.energy, energy)
        # What goes on may have drawn more since; what it drew it cannot have given back.
        if less > ENERGY_SLACK_KWH or (session.is_over and -less > ENERGY_SLACK_KWH):
            yield phrase("cdr_energy_not_sessions", stated=energy, told=session.energy)


def _in_currency(
    told: ToldCdr, cdr: Cdr, session: SessionBefore, currency: str
) -> Iterator[Phrase]:
    """Yield how what it asks for contradicts what its session was told to cost."""
    if session.currency is not None and session.currency.upper() != currency:
        yield phrase("cdr_currency_not_sessions", stated=currency, told=bounded(session.currency))
        return
    if not session.is_over or session.net is None or told.net is None:
        return
    if abs(EXACT.subtract(told.net, session.net)) > tolerance_of(cdr, currency):
        yield phrase(
            "cdr_cost_not_sessions",
            stated=_amount(told.net, cdr.currency),
            told=_amount(session.net, session.currency),
        )


def _moment(text: str) -> str:
    return text.replace("+00:00", "Z")

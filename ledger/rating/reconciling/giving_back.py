"""What a person gives back of a rated session, and a session of which nothing is owed any more.

4.76 EUR for 10 kWh and 2.38 EUR for parking; the parking is given back:

    the next revision                        -> 4.76 EUR; the parking line stands there, at 0
    a late stop, and it parked half an hour more -> 4.76 EUR: the line is given back, not an amount
    a late reading, and it drew 1 kWh more   -> 5.24 EUR
    the whole session is given back          -> 0, whatever comes

A line that is there to lower the price is not owed alone: where what is left would be below zero,
that is given back as well.

Nothing is priced again for it: the revision is the one before it, without these lines. What it used
of grants that sessions share stays used. What is not billed at all uses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from ledger.rating.decisions import (
    AllowanceUse,
    CorrectionCause,
    GivenBack,
    Moment,
    RatedLine,
    Release,
    SessionRated,
    SessionRevision,
)
from ledger.rating.entitlements import AllowanceKey, Allowances
from ledger.rating.rate import checked_rating
from ledger.rating.reconciling.correcting import corrected
from tariffs.adjustments.consumption import NOTHING
from tariffs.kernel.compiled import Why
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import plain

GIVEN_BACK: Final = phrase("given_back_by_person")
_ZERO: Final = Decimal(0)
_WH_PER_KWH: Final = 1000


def given_back_of(rated: SessionRated, lines: Sequence[int]) -> tuple[GivenBack, ...]:
    """Return what giving back these *lines* of *rated* means; none named: all of it."""
    if not lines:
        return (GivenBack(),)
    return tuple(
        GivenBack(component=line.component, starts_at=line.starts_at, ends_at=line.ends_at)
        for line in rated.lines
        if line.line in lines
    )


def with_given_back(rated: SessionRated, given_back: Sequence[GivenBack]) -> SessionRated:
    """Return *rated*, just priced, without what a person gave back of its session before."""
    if not given_back:
        return rated
    free = {line.line for line in rated.lines if any(_is_of(line, each) for each in given_back)}
    left = sum(_gross(line) for line in rated.lines if line.line not in free)
    if left < 0 <= rated.gross_minor:
        free = {line.line for line in rated.lines}
    return replace(_free(rated, free, GIVEN_BACK), given_back=tuple(given_back))


def give_back(
    was: SessionRated,
    lines: Sequence[int],
    moment: Moment,
    allowances: Allowances,
    *,
    chosen: Release,
    cause: CorrectionCause,
) -> SessionRated:
    """Return the correction of *was* in which these *lines* (none: all) are free.

    *allowances* say how the grants stand that it shares; *chosen*: who gives it back, and why.
    """
    next_one = _next(was, moment, allowances, is_used=True)
    given_back = (*was.given_back, *given_back_of(was, lines))
    now = with_given_back(next_one, given_back)
    return checked_rating(corrected(now, was, chosen=chosen, cause=cause))


def not_billed(
    was: SessionRated,
    moment: Moment,
    allowances: Allowances,
    *,
    cause: CorrectionCause,
    chosen: Release | None = None,
    frames: tuple[tuple[int, int], ...] = (),
) -> SessionRated:
    """Return the correction of *was* in which nothing is owed, until it is decided again."""
    every = {line.line for line in was.lines}
    now = _free(_next(was, moment, allowances, is_used=False), every, _said_of(cause))
    if cause is CorrectionCause.DISSOLVED:
        # What it drew, if anything, is another session's.
        now = replace(now, energy_wh=_ZERO, free_wh=_ZERO, billed_wh=_ZERO, exported_wh=None)
    now = replace(now, not_billed=cause)
    return checked_rating(corrected(now, was, chosen=chosen, frames=frames, cause=cause))


def billed_wh_without(rated: SessionRated, lines: Collection[int]) -> Decimal:
    """Return the energy that is billed of *rated* where these *lines* of it are free."""
    free = {line.line for line in rated.lines if line.line in lines}
    return _free(rated, free, GIVEN_BACK).billed_wh if free else rated.billed_wh


def _said_of(cause: CorrectionCause) -> Phrase:
    if cause is CorrectionCause.DISSOLVED:
        return phrase("session_dissolved")
    if cause is CorrectionCause.PARTNER:
        return phrase("bills_otherwise")
    return phrase("release_taken_back")


def _is_of(line: RatedLine, given: GivenBack) -> bool:
    """Whether *line* is what was given back, also where late facts moved its ends."""
    if given.component is None or given.starts_at is None or given.ends_at is None:
        return True
    if line.component != given.component:
        return False
    is_moment = line.starts_at == line.ends_at or given.starts_at == given.ends_at
    overlaps = line.starts_at < given.ends_at and given.starts_at < line.ends_at
    return is_moment or overlaps


def _free(rated: SessionRated, free: set[int], why: Phrase) -> SessionRated:
    lines = tuple(_freed(line, why) if line.line in free else line for line in rated.lines)
    net_minor, tax_minor = sum(x.net_minor for x in lines), sum(x.tax_minor for x in lines)
    free_wh = rated.free_wh + sum(
        (_wh_of_price(line) for line in rated.lines if line.line in free), _ZERO
    )
    if len(free) == len(lines) or free_wh > rated.energy_wh:
        free_wh = rated.energy_wh
    return replace(
        rated,
        lines=lines,
        net_minor=net_minor,
        tax_minor=tax_minor,
        free_wh=free_wh,
        billed_wh=rated.energy_wh - free_wh,
    )


def _freed(line: RatedLine, why: Phrase) -> RatedLine:
    reasons = line.reasons if why in line.reasons else (*line.reasons, why)
    return replace(line, reasons=reasons, net=_ZERO, tax=_ZERO, net_minor=0, tax_minor=0)


def _wh_of_price(line: RatedLine) -> Decimal:
    """Return the energy that a line is the price of; what was free before is counted already."""
    is_price = line.component.split("/")[2:3] == [Why.PRICED.value]
    if line.dimension is not Dimension.ENERGY or not is_price or not _gross(line):
        return _ZERO
    return plain(line.volume * _WH_PER_KWH)


def _gross(line: RatedLine) -> int:
    return line.net_minor + line.tax_minor


def _next(
    was: SessionRated, moment: Moment, allowances: Allowances, *, is_used: bool
) -> SessionRated:
    """Return the next revision of *was*, which says the same."""
    decides = SessionRevision(was.session_id, was.revision + 1)
    return replace(
        was,
        revision=decides.revision,
        moment=moment,
        allowances=tuple(_uses(was.allowances, decides, allowances, is_used=is_used)),
        corrects=None,
    )


def _uses(
    uses: Sequence[AllowanceUse],
    decides: SessionRevision,
    allowances: Allowances,
    *,
    is_used: bool,
) -> Iterable[AllowanceUse]:
    keys = [AllowanceKey(use.key, use.period) for use in uses]
    for use, standing in zip(uses, allowances.standings(decides, keys), strict=True):
        in_all = use.of_session if is_used else NOTHING
        yield AllowanceUse(
            key=use.key,
            period=use.period,
            number=standing.number + 1,
            used_before=standing.used,
            used=in_all - use.of_session,
            found=use.priced_with,
            in_all=in_all,
        )

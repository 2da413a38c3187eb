"""How it goes with a partner: when one that fails is asked again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from roaming_ocpi.relay.claiming import MessageClaim, PartnerStanding
from roaming_ocpi.relay.outcomes import REFUSALS_MAX, Arrival, AttemptOutcome, pause_after

_TAKEN = frozenset({Arrival.DELIVERED, Arrival.KNOWN})


def gives_up(claim: MessageClaim, outcomes: Sequence[AttemptOutcome], *, failures_max: int) -> bool:
    """Say whether the rest of *claim* is not worth a try, by the *outcomes* so far.

    Where nothing was taken, one failure is enough: with a partner that is away each costs a
    time-out. Where something was, it may be about single messages, up to *failures_max*.
    """
    kinds = [each.came_of_it for each in outcomes]
    failed, refused = kinds.count(Arrival.FAILED), kinds.count(Arrival.REFUSED)
    if _TAKEN & set(kinds):
        return failed >= failures_max
    return failed > 0 or (refused > 0 and claim.refusals + refused >= REFUSALS_MAX)


def standing_after(
    claim: MessageClaim, outcomes: Sequence[AttemptOutcome], chance: Decimal
) -> PartnerStanding:
    """Return how it goes with the partner after *outcomes* of attempts of *claim*."""
    kinds = [each.came_of_it for each in outcomes]
    asked = max((each.retry_after or timedelta(0) for each in outcomes), default=timedelta(0))
    if _TAKEN & set(kinds):
        return PartnerStanding(pause=asked)
    refusals = claim.refusals + kinds.count(Arrival.REFUSED)
    failed = [each for each in outcomes if each.came_of_it is Arrival.FAILED]
    is_bad = bool(failed) or (Arrival.REFUSED in kinds and refusals >= REFUSALS_MAX)
    if not is_bad:
        return PartnerStanding(failures=claim.failures, refusals=refusals)
    failures = claim.failures + 1
    reason = failed[0].reason if failed else "refuses_everything"
    return PartnerStanding(failures, refusals, pause_after(failures, chance, asked), reason)

"""What an error comes to, and how long nothing is tried after it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerAnswer,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.relay.claiming import MessageClaim, PartnerStanding
from roaming_ocpi.relay.outcomes import (
    PAUSE_MAX,
    REFUSALS_MAX,
    Arrival,
    AttemptOutcome,
    outcome_of_error,
    pause_after,
)
from roaming_ocpi.relay.standing import gives_up, standing_after

TAKEN, FAILED, REFUSED = (
    AttemptOutcome(kind) for kind in (Arrival.DELIVERED, Arrival.FAILED, Arrival.REFUSED)
)


def refused(http: int, code: int = 2001, message: str | None = None) -> PartnerRefusedError:
    return PartnerRefusedError("no", answer=PartnerAnswer(http, code, message, None))


@pytest.mark.parametrize(
    ("error", "is_again", "came_of_it"),
    [
        pytest.param(PartnerUnreachableError("away"), True, "failed", id="away is tried again"),
        pytest.param(ForbiddenAddressError("private"), False, "failed", id="so is a bad address"),
        pytest.param(refused(401), False, "failed", id="a token that holds no more kills nothing"),
        pytest.param(refused(403), True, "failed", id="nor does one that may not"),
        pytest.param(refused(400), True, "refused", id="what is refused is dead"),
        pytest.param(refused(200, 2001), False, "refused", id="by the envelope alone, too"),
        pytest.param(refused(409), False, "known", id="a conflict says that it is there"),
        pytest.param(refused(400, 2000, "Duplicate CDR"), True, "known", id="or words"),
        pytest.param(refused(400, 2000, "Duplicate CDR"), False, "refused", id="not at first"),
    ],
)
def test_an_error_comes_to(error: RoamingError, *, is_again: bool, came_of_it: str) -> None:
    assert outcome_of_error(error, is_again=is_again).came_of_it == came_of_it


def test_a_reason_holds_no_word_of_the_partner() -> None:
    error = refused(400, 2001, "token 04AABBCC of Ann is unknown")

    assert outcome_of_error(error, is_again=False).reason == "refused 400/2001"


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [
        pytest.param(1, "0", "1", id="a second at first"),
        pytest.param(2, "0", "2", id="then it doubles"),
        pytest.param(10, "0", "512", id="and doubles"),
        pytest.param(11, "0", "900", id="to a quarter of an hour"),
        pytest.param(1_000_000, "0", "900", id="for ever"),
        pytest.param(3, "1", "2", id="of which chance takes a half at most"),
        pytest.param(3, "0.5", "3", id="or less"),
    ],
)
def test_a_pause_lasts(failures: int, chance: str, seconds: str) -> None:
    pause = pause_after(failures, Decimal(chance))

    assert pause == timedelta(seconds=int(seconds))
    assert pause <= PAUSE_MAX


def test_what_the_partner_asks_for_is_kept_up_to_a_day() -> None:
    asked = outcome_of_error(PartnerUnreachableError("", retry_after_s=1e12), is_again=False)
    back = outcome_of_error(PartnerUnreachableError("", retry_after_s=-5), is_again=False)

    assert asked.retry_after == timedelta(days=1)
    assert back.retry_after == timedelta(0)
    assert pause_after(1, Decimal(1), timedelta(hours=2)) == timedelta(hours=2)


def claim_after(failures: int = 0, refusals: int = 0) -> MessageClaim:
    return MessageClaim((), failures, refusals)


@pytest.mark.parametrize(
    ("claim", "outcomes", "standing"),
    [
        pytest.param(claim_after(3, 9), [TAKEN, FAILED], (0, 0), id="one taken makes all well"),
        pytest.param(claim_after(3), [FAILED, FAILED], (4, 0), id="none taken is one failure more"),
        pytest.param(claim_after(0, 8), [REFUSED], (0, 9), id="refusals are counted"),
        pytest.param(claim_after(0, 9), [REFUSED], (1, REFUSALS_MAX), id="until they are many"),
        pytest.param(claim_after(2, 4), [], (2, 4), id="nothing tried says nothing"),
    ],
)
def test_how_it_goes_after(
    claim: MessageClaim, outcomes: list[AttemptOutcome], standing: tuple[int, int]
) -> None:
    found = standing_after(claim, outcomes, Decimal(0))

    assert (found.failures, found.refusals) == standing
    assert (found.pause > timedelta(0)) == (found.failures > claim.failures)


def test_a_busy_partner_that_took_some_is_left_alone_as_long_as_it_asks() -> None:
    later = FAILED._replace(retry_after=timedelta(minutes=1))

    assert standing_after(claim_after(), [TAKEN, later], Decimal(0)) == PartnerStanding(
        pause=timedelta(minutes=1)
    )


@pytest.mark.parametrize(
    ("outcomes", "is_given_up"),
    [
        pytest.param([FAILED], True, id="the first failure, where nothing was taken"),
        pytest.param([TAKEN, FAILED], False, id="not one of several"),
        pytest.param([TAKEN, *[FAILED] * 4], True, id="but many"),
        pytest.param([REFUSED] * 9, False, id="not some refusals"),
        pytest.param([REFUSED] * 10, True, id="but many refusals"),
        pytest.param([TAKEN, *[REFUSED] * 10], False, id="unless one was taken"),
    ],
)
def test_a_claim_is_given_up_after(outcomes: list[AttemptOutcome], *, is_given_up: bool) -> None:
    assert gives_up(claim_after(), outcomes, failures_max=4) is is_given_up

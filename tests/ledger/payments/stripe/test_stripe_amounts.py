"""Minor units: ours are ISO 4217's, Stripe's mostly too."""

from __future__ import annotations

import pytest

from ledger.payments.provider import RefusedRequestError, UnansweredError
from ledger.payments.stripe.amounts import MINOR_MAX, our_minor, stripe_minor
from tariffs.currencies import CURRENCY_EXPONENTS

_SAME = [
    ("EUR", 1, 1),
    ("EUR", MINOR_MAX, MINOR_MAX),
    ("HUF", 1045, 1045),
    ("JPY", 500, 500),
    ("ISK", 5, 500),
    ("UGX", 5, 500),
    ("MGA", 500, 5),
    ("KWD", 5120, 5120),
    ("TND", 10, 10),
]
_UNFIT = [
    ("EUR", 0),
    ("EUR", -1),
    ("EUR", MINOR_MAX + 1),
    ("ISK", MINOR_MAX),
    ("MGA", 501),
    ("KWD", 5124),
    ("TND", 1),
    ("XXX", 100),
    ("eur", 100),
]


@pytest.mark.parametrize(("currency", "ours", "theirs"), _SAME)
def test_an_amount_goes_out_and_comes_back_the_same(currency: str, ours: int, theirs: int) -> None:
    assert stripe_minor(ours, currency) == theirs
    assert our_minor(theirs, currency) == ours
    assert our_minor(-theirs, currency) == -ours


@pytest.mark.parametrize(("currency", "amount"), _UNFIT)
def test_an_amount_that_stripe_does_not_know_is_refused(currency: str, amount: int) -> None:
    with pytest.raises(RefusedRequestError):
        stripe_minor(amount, currency)


def test_what_comes_in_and_does_not_fit_is_never_rounded() -> None:
    for amount in (550, -550, 1):
        with pytest.raises(UnansweredError, match="ISK"):
            our_minor(amount, "ISK")
    with pytest.raises(UnansweredError):
        our_minor(1, "BTC")


def test_each_currency_keeps_its_amounts() -> None:
    for currency in CURRENCY_EXPONENTS:
        fit = stripe_minor(100_00, currency)
        assert our_minor(fit, currency) == 100_00

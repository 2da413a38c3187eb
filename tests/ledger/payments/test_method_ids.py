"""What is typed as a means of payment is the provider's id of one, or it is kept nowhere."""

from __future__ import annotations

import pytest

from ledger.payments.method_ids import NoMethodIdError, check_method_id

CARD = "4242424242424242"


@pytest.mark.parametrize("method", [None, "pm_card_visa", "pm_1PqXyZ", "card_1Ab", "src_1"])
def test_an_id_of_the_provider_is_one(method: str | None) -> None:
    check_method_id(method)


@pytest.mark.parametrize(
    "method",
    ["", CARD, f"pm_{CARD}", "4242 4242 4242 4242",
     "DE02120300000000202051", "ada@example.org", "pm_", "visa",
     "pm_1\n", "pm_é", "pm_../x", "pm_" + 101 * "x"],
)  # fmt: skip
def test_what_may_be_a_number_of_a_card_or_account_is_refused_and_not_shown(method: str) -> None:
    with pytest.raises(NoMethodIdError) as refused:
        check_method_id(method)

    assert CARD not in str(refused.value)
    assert "DE02" not in str(refused.value)

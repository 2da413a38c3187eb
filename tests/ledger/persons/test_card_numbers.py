"""Card numbers are found in what others write, and what only has digits is left alone."""

from __future__ import annotations

import pytest

from ledger.persons.card_numbers import has_card_number, mask_card_numbers


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("4242424242424242", id="Visa"),
        pytest.param("4000 0000 0000 0002", id="with spaces"),
        pytest.param("4000-0000-0000-0002", id="with dashes"),
        pytest.param("4000.0000.0000.0002", id="with dots"),
        pytest.param("4000\n0000\t0000  0002", id="over lines"),
        pytest.param("4000\u00a00000\u20110000\u00a00002", id="typographic"),
        pytest.param("4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2", id="digit by digit"),
        pytest.param("4222222222222", id="13 digits"),
        pytest.param("4000000000000000006", id="19 digits"),
        pytest.param("5555555555554444", id="Mastercard"),
        pytest.param("2223003122003222", id="Mastercard, 2-series"),
        pytest.param("3782 822463 10005", id="American Express"),
        pytest.param("3056 9309 0259 04", id="Diners"),
        pytest.param("3566 0020 2036 0505", id="JCB"),
        pytest.param("6011 1111 1111 1117", id="Discover"),
        pytest.param("6200000000000005", id="UnionPay"),
    ],
)
def test_a_card_number_is_masked_and_the_rest_is_kept(number: str) -> None:
    assert has_card_number(number)
    assert mask_card_numbers(f"INV-7 {number} paid") == "INV-7 [card number] paid"
    assert mask_card_numbers(f"({number})") == "([card number])"
    assert mask_card_numbers(f"{number} 12/34 123").startswith("[card number]")
    assert mask_card_numbers(f"7 {number},{number}") == "7 [card number],[card number]"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("4242424242424241", id="a wrong check digit"),
        pytest.param("1234567890123452", id="no issuer has it"),
        pytest.param("42424242424242424242", id="too many digits"),
        pytest.param("INV-2026-000123 INV-2026-000124", id="two invoices"),
        pytest.param("2026-03-31 2026-04-30", id="two dates"),
        pytest.param("RF18 5390 0754 7034", id="a creditor reference"),
        pytest.param("4242 4242 / 4242, 4242", id="apart"),
    ],
)
def test_other_digits_are_left_alone(text: str) -> None:
    assert not has_card_number(text)
    assert mask_card_numbers(text) == text


def test_a_long_text_is_read_too() -> None:
    text = "4 " * 20_000

    assert mask_card_numbers(text) == text

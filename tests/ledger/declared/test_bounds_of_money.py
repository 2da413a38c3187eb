"""Limits that are declared: amounts from 0 or above it, and nothing that is no number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.changes import PlannedChange
from ledger.declared.declarations import BEGINNING, POLICY_KEY, Entity, Kind
from ledger.declared.rules import problems_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.policies import MoneyLimit, Policy, is_above
from tests.depot import declared


def problems(kind: Kind, key: str, entity: Entity) -> list[str]:
    planned = PlannedChange(kind=kind, key=key, valid_from=BEGINNING, before=None, after=entity)
    return [each.message for each in problems_of(declared(), [planned])]


@pytest.mark.parametrize("limit", ["0", "0.01", "1000000"])
def test_a_station_may_be_believed_to_differ_by_any_amount(limit: str) -> None:
    assert problems(Kind.POLICY, POLICY_KEY, Policy(station_cost_limit=Decimal(limit))) == []


@pytest.mark.parametrize("limit", ["-0.01", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(limit: str) -> None:
    policy = Policy(station_cost_limit=Decimal(limit))

    assert problems(Kind.POLICY, POLICY_KEY, policy) == [
        "station_cost_limit must be an amount from 0 on"
    ]


@pytest.mark.parametrize("limit", ["-0.01", "NaN", "Infinity"])
def test_a_second_person_is_asked_above_an_amount(limit: str) -> None:
    policy = Policy(payment_approval_above=Decimal(limit))

    assert problems(Kind.POLICY, POLICY_KEY, policy) == [
        "payment_approval_above must be an amount from 0 on"
    ]
    assert problems(Kind.POLICY, POLICY_KEY, Policy(payment_approval_above=Decimal(0))) == []


@pytest.mark.parametrize("limit", ["-0.01", "NaN", "Infinity"])
def test_a_correction_is_worth_its_while_from_an_amount_on(limit: str) -> None:
    assert problems(Kind.POLICY, POLICY_KEY, Policy(correct_from=Decimal(limit))) == [
        "correct_from must be an amount from 0 on"
    ]


@pytest.mark.parametrize(
    ("least", "most", "is_right"),
    [
        ("5", "5", True),
        ("5.01", "5", False),
        ("0", "5", False),
        ("NaN", "5", False),
        ("5", "Infinity", False),
        ("5", {"EUR": "5", "SEK": "50"}, True),
        ("5", {"EUR": "5", "SEK": "4.99"}, False),
        ({"EUR": "5", "SEK": "50"}, {"EUR": "5", "SEK": "50"}, True),
        ({"EUR": "5"}, {"EUR": "5", "SEK": "50"}, False),
        ({"EUR": "5", "SEK": "50"}, {"EUR": "5"}, False),
        ({"EUR": "5", "SEK": "50"}, "50", True),
        ({"EUR": "5", "SEK": "50"}, "49.99", False),
        ({"EUR": "NaN"}, {"EUR": "5"}, False),
    ],
)
def test_what_is_put_aside_has_a_least_and_a_most_in_each_currency(
    least: str | dict[str, str], most: str | dict[str, str], *, is_right: bool
) -> None:
    def limit(said: str | dict[str, str]) -> MoneyLimit:
        if isinstance(said, str):
            return Decimal(said)
        return {currency: Decimal(each) for currency, each in said.items()}

    policy = Policy(visit_hold_min=limit(least), visit_hold_max=limit(most))
    found = problems(Kind.POLICY, POLICY_KEY, policy)

    wrong = "visit_hold_min must be above 0, and at most visit_hold_max"
    assert found == ([] if is_right else [wrong])


@pytest.mark.parametrize(
    "name", ["payment_approval_above", "variance_session", "station_cost_limit", "correct_from"]
)
def test_a_limit_by_currency_has_amounts_of_currencies_that_there_are(name: str) -> None:
    def of(limit: dict[str, Decimal]) -> list[str]:
        return problems(Kind.POLICY, POLICY_KEY, replace(Policy(), **{name: limit}))

    assert of({"EUR": Decimal(0), "SEK": Decimal(9)}) == of({}) == []
    assert of({"EURO": Decimal(1)}) == [f"{name}: 'EURO' is no currency of ISO 4217"]
    [wrong] = of({"EUR": Decimal("-0.01")})
    assert name in wrong


@pytest.mark.parametrize(
    ("minor", "currency", "is_over"),
    [
        (100_000, "EUR", False),
        (100_001, "EUR", True),
        (-100_001, "EUR", True),
        (1_000, "JPY", False),
        (1_001, "JPY", True),
        (0, "SEK", False),
        (1, "SEK", True),
    ],
)
def test_a_currency_that_a_limit_does_not_name_has_0(
    minor: int, currency: str, *, is_over: bool
) -> None:
    limit = {"EUR": Decimal(1000), "JPY": Decimal(1000)}

    assert is_above(limit, minor, currency) is is_over
    assert is_above(Decimal(1000), minor, currency) is (is_over and currency != "SEK")


@pytest.mark.parametrize(
    ("days", "is_right"),
    [
        ((), True),
        ((7, 14, 28), True),
        ((7, 7), False),
        ((14, 7), False),
        ((0,), False),
        ((731,), False),
        (tuple(range(1, 11)), False),
    ],
)
def test_reminders_come_one_after_the_other(days: tuple[int, ...], *, is_right: bool) -> None:
    found = problems(Kind.POLICY, POLICY_KEY, Policy(reminder_days=days))

    assert bool(found) is not is_right


@pytest.mark.parametrize("name", ["max_cost", "max_energy_wh", "max_time_s"])
@pytest.mark.parametrize(("limit", "is_right"), [(1, True), (0, False), (-1, False)])
def test_a_session_may_be_limited_to_something(name: str, limit: int, *, is_right: bool) -> None:
    said: Any = limit if name == "max_time_s" else Decimal(limit)
    assignment = Assignment(tariff="energy", site="harbour", **{name: said})

    found = problems(Kind.ASSIGNMENT, "site=harbour", assignment)

    assert found == ([] if is_right else [f"{name} must be above 0"])


@pytest.mark.parametrize("limit", ["NaN", "Infinity"])
def test_a_limit_is_a_number(limit: str) -> None:
    assignment = Assignment(tariff="energy", site="harbour", max_cost=Decimal(limit))

    assert problems(Kind.ASSIGNMENT, "site=harbour", assignment) == ["max_cost must be above 0"]


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("https://pay.example/{receipt}", True),
        ("https://pay.example/" + "x" * 1871 + "{receipt}", True),
        ("https://pay.example/" + "x" * 1872 + "{receipt}", False),
        ("https://pay.example/{receipt}{receipt}", False),
        ("http://pay.example/{receipt}", False),
        ("https://pay.example/", False),
        ("https://pay.example/{receipt}/{other}", False),
        ("https://pay.example/a b{receipt}", False),
        ("https://pay.example/{receipt}\n", False),
        ("{receipt}", False),
    ],
)
def test_an_address_of_receipts_is_one(address: str, is_good: bool) -> None:  # noqa: FBT001 - a table
    found = problems(Kind.POLICY, POLICY_KEY, Policy(receipt_url=address))

    assert [each.split()[0] for each in found] == ([] if is_good else ["receipt_url"])

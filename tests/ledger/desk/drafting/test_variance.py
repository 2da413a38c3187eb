"""Prices that move more than the policy lets them need a reason."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.desk.drafting.variance import Variance, findings_of
from ledger.master_data.policies import Policy


def tried(
    old: int, new: int, dearest: int = 0, sessions: int = 10, *, is_whole: bool = True
) -> Variance:
    return Variance(
        is_whole=is_whole,
        sessions=sessions,
        currency="EUR",
        old_minor=old,
        new_minor=new,
        dearest_minor=dearest,
    )


NONE: tuple[Variance, ...] = ()
CASES = [
    pytest.param(None, None, NONE, [], id="without a gate nothing is asked"),
    pytest.param("10", None, NONE, ["untried"], id="what nobody tried out"),
    pytest.param(
        "10", None, [tried(0, 0, sessions=0)], ["untried"], id="what was tried on nothing"
    ),
    pytest.param("10", None, [tried(100, 900, is_whole=False)], ["untried"], id="of a site alone"),
    pytest.param("10", None, [tried(1000, 1100)], [], id="as much as it may"),
    pytest.param("10", None, [tried(100_000, 110_001)], ["revenue"], id="a cent more"),
    pytest.param("10", None, [tried(100_000, 89_999)], ["revenue"], id="a cent less than it may"),
    pytest.param("10", None, [tried(0, 1)], ["revenue"], id="from nothing to something"),
    pytest.param("10", None, [tried(0, 0)], [], id="from nothing to nothing"),
    pytest.param("10", None, [tried(-1000, -1101)], ["revenue"], id="from below nothing"),
    pytest.param("0", None, [tried(1000, 1000)], [], id="none at all"),
    pytest.param("0", None, [tried(10**15, 10**15 + 1)], ["revenue"], id="a cent in a billion"),
    pytest.param(None, "1.50", [tried(9, 999, 150)], [], id="a session by as much as it may"),
    pytest.param(None, "1.50", [tried(9, 9, 151)], ["session"], id="a session by a cent more"),
    pytest.param(
        "10",
        "1",
        [tried(1000, 1000), tried(1000, 1000, 101), tried(1000, 2000)],
        ["revenue", "session"],
        id="the worst of all tries counts",
    ),
]


@pytest.mark.parametrize(("percent", "session", "tries", "codes"), CASES)
def test_why_a_reason_is_needed(
    percent: str | None, session: str | None, tries: list[Variance], codes: list[str]
) -> None:
    policy = Policy(
        variance_percent=None if percent is None else Decimal(percent),
        variance_session=None if session is None else Decimal(session),
    )

    found = findings_of(policy, enumerate(tries, start=1))

    assert [each.code.value for each in found] == codes


def test_a_finding_names_the_try_that_says_so() -> None:
    policy = Policy(variance_percent=Decimal(10), variance_session=Decimal("0.5"))

    found = findings_of(policy, [(7, tried(1000, 1234)), (9, tried(1000, 1000, 75))])

    assert [str(each) for each in found] == [
        "revenue moves by +23.40 %, more than 10 % (job 7)",
        "a session becomes dearer by 0.75 EUR, more than 0.5 EUR (job 9)",
    ]


def test_a_currency_that_the_gate_does_not_name_lets_no_session_become_dearer() -> None:
    dearer = [(9, tried(1000, 1000, 1))]
    by_currency = Policy(variance_session={"SEK": Decimal(9)})

    assert [str(each) for each in findings_of(by_currency, dearer)] == [
        "a session becomes dearer by 0.01 EUR, more than 0 EUR (job 9)"
    ]
    assert findings_of(by_currency, [(9, tried(1000, 1000, 0))]) == []
    assert findings_of(Policy(variance_session={"EUR": Decimal("0.01")}), dearer) == []


def test_places_that_no_try_speaks_of_need_a_reason_where_there_is_a_gate() -> None:
    tries = [(1, tried(1000, 1000))]
    gate = Policy(variance_percent=Decimal(10))

    assert [each.code.value for each in findings_of(gate, tries, assigns=True)] == ["assigned"]
    assert findings_of(Policy(), tries, assigns=True) == ()

"""Periods that are not the time of their CDR: whatever the total, a person looks at them."""

from __future__ import annotations

from typing import Any

import pytest

from roaming_ocpi.incoming.verdicts.english import ENGLISH
from roaming_ocpi.incoming.verdicts.judging import JudgedCdr, judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from tests.roaming_ocpi.incoming.partner_stories import TARIFF, cdr_of, old_cdr_of, told_cdr

FIRST = "charging_periods__0__start_date_time"
DIMENSIONS = "charging_periods__0__dimensions"
ENERGY = {"type": "ENERGY", "volume": 20.0}
HALF = {"type": "ENERGY", "volume": 10.0}


def judged(body: dict[str, Any]) -> JudgedCdr:
    return judge_cdr(told_cdr(body), CdrSurroundings(), Repricer())


def hours(count: float, kind: str = "TIME") -> list[dict[str, Any]]:
    return [ENERGY, {"type": kind, "volume": count}]


@pytest.mark.parametrize(
    ("changes", "found", "verdict"),
    [
        ({}, [], CdrVerdict.ACCEPTED),
        ({FIRST: "2026-03-02T11:59:00Z"}, [], CdrVerdict.ACCEPTED),
        ({FIRST: "2026-03-02T11:58:59Z"}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        ({FIRST: "2026-03-02T12:01:00Z"}, [], CdrVerdict.ACCEPTED),
        ({FIRST: "2026-03-02T12:01:01Z"}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        ({FIRST: "2026-03-02"}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        ({"charging_periods": []}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        ({"charging_periods": None}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        ({DIMENSIONS: [HALF, HALF]}, ["cdr_periods_odd"], CdrVerdict.FLAGGED),
        # The first period lasts an hour; 0.01 h may be rounding.
        ({DIMENSIONS: hours(1), "total_time": 1}, [], CdrVerdict.ACCEPTED),
        ({DIMENSIONS: hours(1.01), "total_time": 1.01}, [], CdrVerdict.ACCEPTED),
        ({DIMENSIONS: hours(1.02), "total_time": 1.02}, ["cdr_hours_exceed"], CdrVerdict.DISPUTED),
        (
            {
                DIMENSIONS: hours(1.02, "PARKING_TIME"),
                "total_parking_time": 1.02,
                "total_time": 1.02,
            },
            ["cdr_hours_exceed"],
            CdrVerdict.DISPUTED,
        ),
    ],
)
def test_periods_are_those_of_the_time_of_their_cdr(
    changes: dict[str, Any], found: list[str], verdict: CdrVerdict
) -> None:
    for body in (cdr_of(**changes), old_cdr_of(**changes)):
        came = judged(body)
        assert ([each.code for each in came.codes], came.verdict) == (found, verdict)
        for code in came.codes:
            assert "charging_periods" in ENGLISH.words(code)
            assert code.parameters["note"]


@pytest.mark.parametrize(
    ("tariff", "found"),
    [
        ({"id": "t1"}, []),
        ({"id": "T2"}, ["cdr_tariff_unknown"]),
        ({"end_date_time": "2026-03-02T12:00:01Z"}, []),
        ({"end_date_time": "2026-03-02T12:00:00Z"}, ["cdr_tariff_not_valid"]),
        ({"start_date_time": "2026-03-02T12:00:00Z"}, []),
        ({"start_date_time": "2026-03-02T12:00:01Z"}, ["cdr_tariff_not_valid"]),
        (
            {"id": "T2", "end_date_time": "2026-03-01T00:00:00Z"},
            ["cdr_tariff_unknown", "cdr_tariff_not_valid"],
        ),
    ],
)
def test_a_cdr_is_priced_by_the_tariff_that_it_names_while_that_holds(
    tariff: dict[str, Any], found: list[str]
) -> None:
    came = judged(cdr_of(tariffs=[{**TARIFF, **tariff}]))

    assert [each.code for each in came.codes] == found
    assert came.verdict is (CdrVerdict.FLAGGED if found else CdrVerdict.ACCEPTED)
    for code in came.codes:
        wanted = "T1" if code.code == "cdr_tariff_unknown" else tariff.get("id", "T1")
        assert code.parameters["tariff"] == wanted
        assert f"'{wanted}'" in ENGLISH.words(code)

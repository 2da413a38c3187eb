"""Reading what stations write: exact, lenient, never raising."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.facts.lenient import (
    energy_of,
    read_int,
    read_json,
    read_list,
    read_number,
    read_text,
    read_time,
)
from ledger.facts.flags import Flag

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "value", "flags"),
    [
        ("604.213", "604.213", set()),
        (Decimal("604.213"), "604.213", set()),
        (12, "12", set()),
        (" 9.6", "9.6", {Flag.VALUE_ODD}),
        ("+5", "5", set()),
        ("1.5e3", "1500", set()),
        ("12,5", "12.5", {Flag.DECIMAL_COMMA}),
        ("500.37957763671875", "500.37957763671875", set()),
        ("NaN", None, {Flag.VALUE_UNREADABLE}),
        ("1e400", None, {Flag.VALUE_UNREADABLE}),
        ("1_000", None, {Flag.VALUE_UNREADABLE}),
        ("\u0661\u0662", None, {Flag.VALUE_UNREADABLE}),
        ("9" * 40, None, {Flag.VALUE_UNREADABLE}),
        (True, None, {Flag.VALUE_UNREADABLE}),
        (None, None, {Flag.VALUE_UNREADABLE}),
    ],
)
def test_read_number(raw: object, value: str | None, flags: set[Flag]) -> None:
    oddities: set[str] = set()

    read = read_number(raw, oddities)

    assert read == (None if value is None else Decimal(value))
    assert oddities == flags


@pytest.mark.parametrize(
    ("value", "energy"),
    [
        ("604.213", "604.213"),
        ("500.37957763671875", "500.37957763671875"),
        ("500.379577636718759", "500.37957763671875"),
        ("-500.379577636718759", "-500.37957763671875"),
        ("1e-28", "0"),
        ("999999999999.99999999999999", "999999999999.99999999999999"),
        ("1000000000000", None),
        ("-1000000000000", None),
        ("1e30", None),
    ],
)
def test_an_energy_is_what_can_be_added_without_rounding(value: str, energy: str | None) -> None:
    oddities: set[str] = set()

    found = energy_of(Decimal(value), oddities)

    assert found == (None if energy is None else Decimal(energy))
    assert oddities == (set() if energy is not None else {Flag.VALUE_UNREADABLE})


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        (" 2026-03-02T12:00:00z ", NOON),
        ("2026-03-02T22:00:00+10:00", NOON),
        ("2026-03-02 12:00:00.000+00:00", NOON),
        ("2026-03-02T12:00:00.1234567890Z", NOON.replace(microsecond=123456)),
        ("2026-03-02T12:00:00,5Z", NOON.replace(microsecond=500000)),
        ("2026-03-02T12:00:00", NOON.replace(tzinfo=None)),
        ("2026-03-02T11:59:60Z", NOON),
        ("2026-03-02t22:59:60.5+11:00", NOON.replace(microsecond=500000)),
        ("20260302T115960Z", NOON),
        ("2026-03-02T24:00:00Z", NOON + timedelta(hours=12)),
        ("2026-03-01 24:00:00.000-12:00", NOON),
        ("2026-03-02T24:00Z", NOON + timedelta(hours=12)),
    ],
)
def test_read_time(raw: str, moment: datetime) -> None:
    oddities: set[str] = set()

    assert read_time(raw, oddities) == moment
    assert oddities == set()


@pytest.mark.parametrize(
    "raw",
    [
        "", "yesterday", "2026-03-02", "0001-01-01T00:00:00+10:00", 7, [],
        "2026-03-02T11:59:61Z", "2026-03-02T11:60:00Z", "2026-03-02T24:00:01Z",
        "2026-03-02T24:00:00.1Z", "2026-03-02T25:00:00Z", "9999-12-31T24:00:00Z",
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_flagged(raw: Any) -> None:  # noqa: ANN401 - that is the point
    oddities: set[str] = set()

    assert read_time(raw, oddities) is None
    assert oddities == {Flag.TIME_UNREADABLE}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (7, 7),
        (" -1 ", -1),
        (Decimal("7.0"), 7),
        (Decimal("7.5"), None),
        ("7.5", None),
        (True, None),
        (None, None),
        ("9223372036854775807", 2**63 - 1),
        (Decimal("1e1000000"), None),
        (Decimal("-1e1000000"), None),
        (Decimal("1e-1000000"), None),
    ],
)
def test_read_int(raw: object, value: int | None) -> None:
    assert read_int(raw) == value


def test_text_lists_and_json_are_read_for_what_they_are() -> None:
    assert [read_text(raw) for raw in ("a", 7, Decimal("1.10"), None, True)] == [
        "a",
        "7",
        "1.10",
        None,
        None,
    ]
    assert [read_list(raw) for raw in ([1], {"a": 1}, 7)] == [[1], [{"a": 1}], []]
    assert read_json('{"a":1.10}') == {"a": Decimal("1.10")}
    assert read_json('{"a":NaN}') == {"a": "NaN"}
    assert read_json("[" * 100_000) is None
    assert read_json("[1e99999999999999999999]") == ["1e99999999999999999999"]
    assert read_json("[NaN,1e-99999999999999999999]") == ["NaN", "1e-99999999999999999999"]


@given(st.text())
def test_no_text_makes_a_reader_raise(text: str) -> None:
    oddities: set[str] = set()
    number = read_number(text, oddities)
    read_time(text, oddities)
    read_int(text)
    read_json(text)

    assert number is None or number.is_finite()

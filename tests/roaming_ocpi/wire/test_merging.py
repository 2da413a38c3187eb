"""A PATCH changes what it says and nothing else; hostile JSON ends at the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import process_time
from typing import Any

import pytest

from roaming_ocpi.wire.merging import is_late, merge, moment_of
from roaming_ocpi.wire.walls import check_tree, encoded
from tariffs.ocpi.documents import OcpiError, decode_json

SAID = {"last_updated": "2026-03-01T10:00:00Z"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_absent_stays_null_goes_and_the_rest_is_replaced_whole() -> None:
    value = {"name": "a", "city": "b", "images": [1, 2], "state": "c"}

    merged = merge(value, {"name": "x", "images": [3], "state": None, **SAID})

    assert merged == {"name": "x", "city": "b", "images": [3], **SAID}
    assert value["images"] == [1, 2]


@pytest.mark.parametrize(
    ("given", "periods"),
    [([2], [1, 2]), ([1], [1]), ([2, 1, 2], [1, 2]), ([], [1]), (None, [1])],
)
def test_charging_periods_come_on_top(given: object, periods: list[int]) -> None:
    merged = merge(
        {"charging_periods": [1]},
        {"charging_periods": given, **SAID},
        added=("charging_periods",),
    )

    assert merged["charging_periods"] == periods


@pytest.mark.parametrize(
    "patch", [{}, {"last_updated": None}, {"last_updated": 5}, {"last_updated": "today"}]
)
def test_a_patch_says_when(patch: dict[str, Any]) -> None:
    with pytest.raises(OcpiError, match="last_updated"):
        merge({}, patch)


def test_years_at_both_ends_are_moments() -> None:
    assert moment_of({"last_updated": "9999-12-31T23:59:59Z"}).year == 9999
    assert moment_of({"last_updated": "0001-01-01T00:00:00Z"}).year == 1


@pytest.mark.parametrize(
    ("known", "given", "late"),
    [
        pytest.param(NOON, NOON, False, id="the same again is none"),
        pytest.param(NOON, NOON - timedelta(seconds=1), True, id="an older one is late"),
        pytest.param(NOON + timedelta(days=9), NOON, False, id="a moment ahead is not believed"),
    ],
)
def test_what_came_too_late(known: datetime, given: datetime, *, late: bool) -> None:
    assert is_late(known, given, NOON) is late


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": NaN}', id="no number"),
        pytest.param('{"a": [-Infinity]}', id="no end"),
        pytest.param('{"a": 1e999999}', id="a number too large"),
        pytest.param(f'{{"a": 1{"0" * 200}}}', id="an integer too large"),
        pytest.param('{"a": "\\u0000"}', id="NUL"),
        pytest.param('{"\\u0000": 1}', id="NUL in a key"),
        pytest.param('{"a": {"b": 1, "b": 2}}', id="a key twice"),
        pytest.param("[" * 30 + "]" * 30, id="too deep"),
        pytest.param("[" + "1," * 200_001 + "1]", id="too many"),
        pytest.param(f'["{"x" * 100_001}"]', id="a text too long"),
        pytest.param(f'{{"{"x" * 100_001}": 1}}', id="a key too long"),
        pytest.param("[" * 22 + "]" * 22, id="too deep by one"),
        pytest.param("[" + "1," * 199_999 + "1]", id="too many by one"),
    ],
)
def test_hostile_json_is_refused(text: str) -> None:
    value = decode_json(text.encode())

    with pytest.raises(OcpiError):
        check_tree(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 21 + "]" * 21, id="as deep as may be"),
        pytest.param("[" + "1," * 199_998 + "1]", id="as many as may be"),
        pytest.param(f'["{"x" * 100_000}", "{"y" * 100_000}"]', id="two texts as long as may be"),
        pytest.param("[true, null, -999999999999999999]", id="the least number"),
    ],
)
def test_what_is_just_within_the_bounds_is_let_in(text: str) -> None:
    check_tree(decode_json(text.encode()))


def test_what_is_let_in_can_be_written_with_its_digits() -> None:
    text = b'{"a":0.30,"b":[123456789012345678.123456789,true,null],"c":"\xc3\xa4"}'
    value = decode_json(text)

    check_tree(value)

    assert value["a"] == Decimal("0.30")
    assert encoded(value) == text


def test_what_is_new_of_a_list_is_a_list() -> None:
    known = {"charging_periods": [1], "last_updated": "2026-03-02T12:00:00Z"}
    later = {"last_updated": "2026-03-02T13:00:00Z"}

    with pytest.raises(OcpiError, match="charging_periods: must be a list"):
        merge(known, later | {"charging_periods": {}}, added=("charging_periods",))
    for nothing in (list[object](), None):
        patch = later | {"charging_periods": nothing}
        assert merge(known, patch, added=("charging_periods",))["charging_periods"] == [1]


def test_an_object_of_many_keys_and_one_twice_is_read_in_a_moment() -> None:
    text = "{" + ",".join(f'"{number:x}":1' for number in range(60_000)) + ',"0":2}'

    began = process_time()
    value = decode_json(text.encode())

    assert process_time() - began < 5  # a minute, where each key looks for itself in all others
    assert value.repeated == ("0",)

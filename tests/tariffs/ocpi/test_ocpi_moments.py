"""Moments as partners write them, by RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tariffs.ocpi.fields import read_moment

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-01T00:00:00Z",
        "2027-01-01t00:00:00z",
        "2027-01-01T00:00:00",
        "2027-01-01T01:00:00.000+01:00",
        pytest.param("2026-12-31T23:59:60Z", id="leap second"),
        pytest.param("2027-01-01T00:59:60+01:00", id="leap second of another offset"),
        pytest.param("2026-12-31t23:59:60z", id="leap second in small letters"),
    ],
)
def test_one_moment_is_read_however_it_is_written(text: str) -> None:
    assert read_moment(text) == NEW_YEAR
    assert read_moment(text).tzinfo is UTC


def test_a_leap_second_has_its_fraction() -> None:
    assert read_moment("2026-12-31T23:59:60.250Z") == NEW_YEAR.replace(microsecond=250_000)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-12-31T23:59:61Z", "2026-12-31T23:60:00Z", "2026-12-31T24:00:60Z",
     "2026-13-01T00:00:60Z", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_what_is_no_moment_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date and time"):
        read_moment(text)

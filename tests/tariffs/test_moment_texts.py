"""Moments as text: by quarters of an hour, and equal to what datetime says of each of them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.model.usage import microseconds, moment_of
from tariffs.moment_texts import local_text, utc_text
from tariffs.ocpi.tariff_writer import said_moment
from tariffs.offsets import offsets_over, zone_with
from tariffs.zones import zone

ZONES = ("Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC")
MOMENT_MIN = datetime(1000, 1, 2)  # noqa: DTZ001 - of each zone
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)


@given(
    st.datetimes(MOMENT_MIN, timezones=st.sampled_from([*map(zone, ZONES), UTC])),
    st.sampled_from([1, 10, 1000, 10**6]),
)
def test_ocpi_says_a_moment_in_utc_with_milliseconds_where_they_are_enough(
    moment: datetime, step_us: int
) -> None:
    moment = moment.replace(microsecond=moment.microsecond // step_us * step_us)
    is_tidy = moment.microsecond and moment.microsecond % 1000 == 0
    in_utc = moment.astimezone(UTC).isoformat(timespec="milliseconds" if is_tidy else "auto")

    assert said_moment(moment) == in_utc.replace("+00:00", "Z")


def _recorded(name: str) -> tzinfo:
    return zone_with(offsets_over(name, SPRING, AUTUMN))


@given(
    st.integers(microseconds(datetime(1972, 1, 1, tzinfo=UTC)), 4 * 10**15)
    | st.integers(-1000, 1000).map(lambda seconds: microseconds(SPRING) + seconds * 10**6)
    | st.integers(-1000, 1000).map(lambda seconds: microseconds(AUTUMN) + seconds * 10**6),
    st.sampled_from([*map(zone, ZONES), *map(_recorded, ZONES)]),
)
def test_the_text_of_a_moment_is_its_local_time(instant_us: int, of: tzinfo) -> None:
    local = moment_of(instant_us).astimezone(of)
    micros = f".{local.microsecond:06d}".rstrip("0") if local.microsecond else ""
    offset = f"{local:%z}"

    text = local_text(instant_us, of)

    assert text[4:] == f"{local:%Y-%m-%d %H:%M:%S}{micros} {offset[:3]}:{offset[3:5]}"
    assert utc_text(instant_us) == moment_of(instant_us).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(1880, 1, 1, 12, tzinfo=UTC), "Thu 1880-01-01 12:53:28 +00:53"),
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "Sun 2026-03-29 01:59:59 +01:00"),
        (datetime(2026, 3, 29, 1, tzinfo=UTC), "Sun 2026-03-29 03:00:00 +02:00"),
    ],
)
def test_a_clock_that_shows_no_whole_quarters_has_its_text_too(at: datetime, text: str) -> None:
    assert local_text(microseconds(at), zone("Europe/Berlin")) == text

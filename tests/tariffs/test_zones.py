"""When the clocks of a zone show a time, where they are put forward or back too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from tariffs.zones import instant_of, zone


@pytest.mark.parametrize(
    ("day", "clock", "name", "instant"),
    [
        pytest.param("2026-03-02", "22:00", "Europe/Berlin", "2026-03-02T21:00", id="winter"),
        pytest.param("2026-03-29", "02:00", "Europe/Berlin", "2026-03-29T01:00", id="at the jump"),
        pytest.param("2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:00", id="left out"),
        pytest.param("2026-03-29", "03:00", "Europe/Berlin", "2026-03-29T01:00", id="after it"),
        pytest.param("2026-10-25", "02:30", "Europe/Berlin", "2026-10-25T00:30", id="twice"),
        pytest.param("2018-11-04", "00:00", "America/Sao_Paulo", "2018-11-04T03:00", id="midnight"),
        pytest.param("2011-12-30", "12:00", "Pacific/Apia", "2011-12-30T10:00", id="a whole day"),
    ],
)
def test_a_time_that_is_left_out_is_where_the_clocks_jump(
    day: str, clock: str, name: str, instant: str
) -> None:
    found = instant_of(date.fromisoformat(day), time.fromisoformat(clock), zone(name))

    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)

"""Days and times by the clocks of the site; what clocks show twice is told apart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.documents.languages.language import LANGUAGES, language_of
from tariffs.offsets import UtcOffset, offsets_over, zone_with
from tariffs.zones import zone

DAY = date(2026, 3, 1)
AUTUMN = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
SPRING = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOWN = {
    "de": ("01.03.2026", "01.03.2026, 17:05", "März 2026", "25.10.2026, 02:30 MESZ – 02:30 MEZ"),
    "en": ("1 Mar 2026", "1 Mar 2026, 17:05", "March 2026", "25 Oct 2026, 02:30 CEST – 02:30 CET"),
    "en-US": (
        "Mar 1, 2026",
        "Mar 1, 2026, 5:05^PM",
        "March 2026",
        "Oct 25, 2026, 2:30^AM CEST – 2:30^AM CET",
    ),
    "es": (
        "01/03/2026",
        "01/03/2026, 17:05",
        "marzo de 2026",
        "25/10/2026, 2:30 CEST – 2:30 CET",
    ),
    "fr": ("01/03/2026", "01/03/2026 17:05", "mars 2026", "25/10/2026 02:30 CEST – 02:30 CET"),
    "it": ("01/03/2026", "01/03/2026, 17:05", "marzo 2026", "25/10/2026, 02:30 CEST – 02:30 CET"),
    "nl": ("01-03-2026", "01-03-2026, 17:05", "maart 2026", "25-10-2026, 02:30 CEST – 02:30 CET"),
    "pl": ("01.03.2026", "01.03.2026, 17:05", "marzec 2026", "25.10.2026, 02:30 CEST – 02:30 CET"),
    "sv": ("2026-03-01", "2026-03-01 17:05", "mars 2026", "2026-10-25 02:30 CEST – 02:30 CET"),
}
"""A day, a moment, a month, and an hour that autumn repeats; ^ is a narrow space."""


def recorded(name: str, starts_at: datetime, ends_at: datetime) -> tzinfo:
    """Return the zone of a session as its decision keeps it."""
    return zone_with(offsets_over(name, starts_at, ends_at), name)


def local(at: datetime, name: str = "Europe/Berlin") -> datetime:
    return at.astimezone(recorded(name, at, at))


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_language_writes_days_and_times_as_its_readers_do(tag: str) -> None:
    language = language_of(tag)
    moment = local(datetime(2026, 3, 1, 16, 5, 59, tzinfo=UTC))
    shown = (
        language.day(DAY),
        language.moment(moment),
        language.month("2026-03"),
        language.span(local(AUTUMN), local(AUTUMN + HOUR)),
    )

    assert tuple(text.replace("\u202f", "^") for text in shown) == SHOWN[tag]


@pytest.mark.parametrize(
    ("name", "at", "first", "second"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "02:30 CEST", "02:30 CET"),
        ("Europe/London", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "01:30 BST", "01:30 GMT"),
        ("Europe/Dublin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "01:30 IST", "01:30 GMT"),
        ("Europe/Helsinki", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "03:30 EEST", "03:30 EET"),
        ("America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "01:30 EDT", "01:30 EST"),
        # A zone that tzdata has no letters for.
        (
            "America/Asuncion",
            datetime(2024, 3, 24, 2, 30, tzinfo=UTC),
            "23:30 UTC−3",
            "23:30 UTC−4",
        ),
    ],
)
def test_the_hour_that_comes_twice_is_told_apart_in_each_zone(
    name: str, at: datetime, first: str, second: str
) -> None:
    zone_then = recorded(name, at, at + HOUR)
    language = language_of("en")

    assert language.clock(at.astimezone(zone_then)) == first
    assert language.moment((at + HOUR).astimezone(zone_then)).endswith(f", {second}")
    # tzdata's own zone is read by the same rule.
    assert language.clock(at.astimezone(zone(name))) == first


def test_an_hour_before_and_after_nothing_is_told_that_no_reader_needs() -> None:
    language = language_of("de")

    assert language.clock(local(AUTUMN - HOUR)) == "01:30"
    assert language.clock(local(AUTUMN + 2 * HOUR)) == "03:30"
    assert language.span(local(SPRING - HOUR), local(SPRING)) == "29.03.2026, 00:30 – 01:30"


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "text"),
    [
        (SPRING, SPRING + HOUR, "29.03.2026, 01:30 MEZ – 03:30 MESZ"),
        (AUTUMN - HOUR, AUTUMN + 3 * HOUR, "25.10.2026, 01:30 MESZ – 04:30 MEZ"),
        (AUTUMN - 3 * HOUR, AUTUMN, "24.10.2026, 23:30 MESZ – 25.10.2026, 02:30 MESZ"),
        (SPRING - 5 * HOUR, SPRING, "28.03.2026, 20:30 – 29.03.2026, 01:30"),
    ],
)
def test_a_span_that_the_clocks_change_in_says_by_which_it_begins_and_ends(
    starts_at: datetime, ends_at: datetime, text: str
) -> None:
    zone_then = recorded("Europe/Berlin", starts_at, ends_at)

    shown = language_of("de").span(starts_at.astimezone(zone_then), ends_at.astimezone(zone_then))

    assert shown == text


def test_what_was_recorded_holds_where_tzdata_now_says_otherwise() -> None:
    """A government changed its mind: the abbreviation would be of other clocks."""
    offsets = (UtcOffset(None, 3 * 3600), UtcOffset(AUTUMN + HOUR / 2, 2 * 3600))

    shown = language_of("de").clock(AUTUMN.astimezone(zone_with(offsets, "Europe/Berlin")))

    assert shown == "03:30 UTC+3"


@pytest.mark.parametrize(
    ("seconds", "text"), [(19800, "UTC+5:30"), (-12600, "UTC−3:30"), (0, "UTC+0")]
)
def test_clocks_without_a_name_are_told_by_how_far_they_are_ahead(seconds: int, text: str) -> None:
    offsets = (UtcOffset(None, seconds), UtcOffset(AUTUMN, seconds - 3600))

    assert (
        language_of("en").clock((AUTUMN - HOUR / 2).astimezone(zone_with(offsets))).endswith(text)
    )


def test_an_offset_alone_comes_never_twice() -> None:
    at = AUTUMN.astimezone(timezone(2 * HOUR))

    assert language_of("de").span(at, at + HOUR) == "25.10.2026, 02:30 – 03:30"


def test_seconds_are_shown_where_they_are_asked_for() -> None:
    at = local(datetime(2026, 3, 1, 16, 5, 9, tzinfo=UTC))

    assert language_of("de").clock(at, seconds=True) == "17:05:09"
    assert language_of("en-US").moment(at, seconds=True) == "Mar 1, 2026, 5:05:09\u202fPM"
    assert language_of("sv").span(at, at, seconds=True) == "2026-03-01 17:05:09 – 17:05:09"


@pytest.mark.parametrize("month", ["2026-13", "2026", "", "March", "2026-03-01"])
def test_a_month_that_is_none_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|day|month"):
        language_of("de").month(month)


@given(
    st.integers(0, 80 * 365 * 24),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"]),
)
def test_two_moments_of_a_day_never_look_the_same(hours: int, name: str) -> None:
    language, at = language_of("de"), datetime(1980, 1, 1, tzinfo=UTC) + hours * HOUR
    seen: dict[str, datetime] = {}
    for quarter in range(96):
        moment = at + quarter * HOUR / 4
        text = language.moment(moment.astimezone(recorded(name, at, at + 24 * HOUR)))
        assert seen.setdefault(text, moment) == moment

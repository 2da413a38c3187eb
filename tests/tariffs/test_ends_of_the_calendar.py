"""Years 1 and 9999, by which people mean "always": read, looked at, or refused by name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.kernel.timeline import UnusableUsageError
from tariffs.lint.linter import lint_file, lint_ocpi
from tariffs.lint.reach import reach_of
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import SessionUsage
from tariffs.ocpp21.importing import read_ocpp_tariff
from tariffs.simulate.history import Unread, chunks_of
from tariffs.simulate.lines import read_csv_lines, read_json_lines

FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
# In UTC these lie before the first day, and after the last one.
BEYOND = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
FILE = """\
tariff: t
currency: EUR
elements:
  - energy: 0.30 per kWh
    restrictions: {{start_date: {start_date}, end_date: {end_date}}}
  - energy: 0.40 per kWh
start_date_time: {starts}
end_date_time: {ends}
"""


def file_of(**changes: str) -> str:
    told = {"start_date": "0001-01-01", "end_date": "9999-12-31", "starts": FIRST, "ends": LAST}
    return FILE.format(**{**told, **changes})


def test_a_tariff_that_holds_for_ever_is_looked_at() -> None:
    """Its first element holds for ever, too, so that the second one never does."""
    found = lint_file(file_of(), "t.yaml")

    assert [each.rule for each in found if each.severity == "error"] == ["unreachable"]


def test_a_partners_tariff_that_holds_for_ever_is_looked_at() -> None:
    partners = {
        "id": "t",
        "currency": "EUR",
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": 0.4, "step_size": 1}],
                "restrictions": {"end_date": "9999-12-31"},
            }
        ],
        "start_date_time": FIRST,
        "end_date_time": LAST,
    }

    found = lint_ocpi(json.dumps(partners).encode(), "t.json")

    assert [each for each in found if each.severity == "error"] == []


@pytest.mark.parametrize(
    ("starts", "ends", "applies"),
    [
        (None, date(9999, 12, 31), True),
        (date(1, 1, 1), None, True),
        (date(8999, 12, 31), None, True),
        (date(9999, 12, 31), None, False),
        (date(2026, 5, 1), date(9999, 12, 31), True),
    ],
)
def test_what_begins_at_the_end_of_the_calendar_never_applies(
    starts: date | None,
    ends: date | None,
    applies: bool,  # noqa: FBT001 - a column of the table
) -> None:
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.30"))
    dated = Restrictions(start_date=starts, end_date=ends)
    element = TariffElement(price_components=(component,), restrictions=dated)
    tariff = Tariff(id="t", currency="EUR", elements=(element,))

    assert reach_of(compile_tariff(tariff)).ever_applies(0) is applies


@pytest.mark.parametrize("moment", BEYOND)
def test_a_moment_that_utc_does_not_have_is_a_problem_at_its_line(moment: str) -> None:
    tariff, problems = read_tariff_file(file_of(ends=moment), "t.yaml")
    session = f"starts_at: {moment}\nends_at: {moment}\ntime_zone: UTC\nenergy_wh: 1\n"
    usage, others = read_session_file(session, "s.yaml")
    example = "examples:\n  - {time_zone: Europe/Berlin, starts: 2026-03-02 12:00, "
    example += f'ends: "{moment}", kwh: 1, total: 1}}\n'
    [finding] = [
        each for each in lint_file(file_of() + example, "t.yaml") if each.rule == "example-fails"
    ]
    message = {"tariffId": "t", "currency": "EUR", "energy": {"prices": [{"priceKwh": 1}]}}
    imported = read_ocpp_tariff(json.dumps({**message, "validFrom": moment}))

    assert (tariff, usage, imported.tariff) == (None, None, None)
    assert [each.line for each in problems] == [8]
    assert [each.line for each in others] == [1, 2]
    assert finding.line == 10
    assert [note.code for note in imported.notes] == ["moment"]
    for told in (problems[0].message, others[0].message, finding.message):
        assert "beyond the calendar" in told


@pytest.mark.parametrize("year", [1, 999, 9001, 9999])
@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_session_of_no_year_to_reckon_with_is_refused_by_name(year: int, time_zone: str) -> None:
    at = datetime(year, 1, 1, tzinfo=UTC)
    tariff, _ = read_tariff_file(file_of(), "t.yaml")
    assert tariff is not None

    with pytest.raises(UnusableUsageError, match="no year to reckon with"):
        price_session(
            SessionUsage(starts_at=at, ends_at=at, time_zone=time_zone), compile_tariff(tariff)
        )


@pytest.mark.parametrize("moment", [*BEYOND, FIRST, LAST])
def test_such_a_session_is_left_out_of_a_back_test_and_stops_no_other(moment: str) -> None:
    sound = {"id": "s", "time_zone": "Europe/Berlin", "energy_wh": 1000}
    sound |= {"starts_at": "2026-03-02T12:00:00Z", "ends_at": "2026-03-02T13:00:00Z"}
    odd = sound | {"id": "odd", "starts_at": moment, "ends_at": moment}
    lines = [json.dumps(each).encode() for each in (odd, sound)]
    csv = ["id,time_zone,starts_at,ends_at,energy_wh", f"odd,UTC,{moment},{moment},1"]
    csv.append("s,UTC,2026-03-02T12:00:00Z,2026-03-02T13:00:00Z,1")

    for read in (read_json_lines(lines, "past"), read_csv_lines(csv, "past")):
        [chunk] = chunks_of(read, "EUR")

        assert chunk.ids == ("s",)
        [unread] = chunk.unread
        assert isinstance(unread, Unread)
        assert "calendar" in unread.why or "no year" in unread.why

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roaming_ocpi.settlement.completeness.list_files import (
    LINE_MAX,
    LineProblems,
    csv_list,
    json_list,
    read_lines,
)
from roaming_ocpi.settlement.completeness.listed_cdr import COLUMNS, ListedCdr, listed_cdr

CDR = ListedCdr(
    issuer="DE-HBC",
    cdr_id="=1+1",
    kind="cdr",
    credits=None,
    session_ref="@HB-07/812",
    currency="EUR",
    energy_kwh=Decimal("7.293"),
    net=Decimal("1.83702"),
    tax=Decimal("0.35"),
    started_at=datetime(2026, 3, 14, 9, tzinfo=UTC),
    ended_at=datetime(2026, 3, 14, 10, 30, 0, 500_000, tzinfo=UTC),
)


def read(text: str | bytes) -> tuple[list[ListedCdr], list[str]]:
    problems = LineProblems()
    data = text.encode() if isinstance(text, str) else text
    found = [cdr for _, cdr in read_lines(io.BytesIO(data), listed_cdr, problems)]
    return found, problems.shown


def line(**given_: Any) -> str:  # noqa: ANN401
    said = dict(zip(COLUMNS[:-1], CDR.texts(), strict=False)) | given_
    return ",".join(COLUMNS[:-1]) + "\n" + ",".join(str(said[name]) for name in COLUMNS[:-1]) + "\n"


listed = st.builds(
    ListedCdr,
    issuer=st.sampled_from(["DE-HBC", "NL-TNM"]),
    cdr_id=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=36),
    kind=st.just("cdr"),
    credits=st.none() | st.text("Aa=-'\",", min_size=1, max_size=36),
    session_ref=st.none() | st.text("Aa=-+ ;|", min_size=1, max_size=36),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    energy_kwh=st.decimals(0, 10_000, places=6),
    net=st.decimals(-10_000, 10_000, places=6),
    tax=st.none() | st.decimals(-1000, 1000, places=4),
    started_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    ended_at=st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(listed, max_size=5), st.sampled_from([csv_list, json_list]))
def test_what_is_written_is_read_again_to_the_last_digit(cdrs: list[ListedCdr], write: Any) -> None:  # noqa: ANN401
    found, problems = read("".join(write(cdrs)))

    assert problems == []
    assert found == cdrs


def test_a_spreadsheet_computes_nothing_of_a_list() -> None:
    [_, row] = csv.reader(io.StringIO("".join(csv_list([CDR])), newline=""))

    assert [cell for cell in row if cell.startswith(("=", "+", "@", "\t"))] == []
    assert row[1] == "'=1+1"


def test_numbers_of_json_are_numbers_and_no_person_is_named() -> None:
    [text] = json_list([CDR])

    assert '"net":1.83702,' in text
    assert set(COLUMNS) - {"credits"} == {each.split('"')[1] for each in text.split(",")}


def test_a_credit_takes_back_whichever_sign_its_sender_gives_it() -> None:
    found, _ = read(line(kind="credit", net="12.5", tax="1", energy_kwh="3", credits="x"))

    assert [(each.net, each.tax, each.energy_kwh) for each in found] == [
        (Decimal("-12.5"), Decimal(-1), Decimal(-3))
    ]


def test_a_moment_is_read_in_its_zone_and_a_party_without_case() -> None:
    found, _ = read(line(ended_at="2026-03-14T11:00:00+01:00", issuer="de-hbc"))

    assert found[0].ended_at == datetime(2026, 3, 14, 11, tzinfo=timezone(timedelta(hours=1)))
    assert found[0].issuer == "DE-HBC"


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        pytest.param({"net": "NaN"}, "net: ", id="not a number"),
        pytest.param({"net": "Infinity"}, "net: ", id="infinite"),
        pytest.param({"net": "1e999999"}, "net: ", id="absurdly large"),
        pytest.param({"net": "1_000"}, "net: ", id="digits with underscores"),
        pytest.param({"net": "\u0663"}, "net: ", id="digits of another script"),
        pytest.param({"net": ""}, "net: ", id="no amount"),
        pytest.param({"energy_kwh": "9" * 60}, "energy_kwh: ", id="too many digits"),
        pytest.param({"currency": "EURO"}, "currency: ", id="a currency that there is not"),
        pytest.param({"currency": "eur"}, "currency: ", id="a currency in small letters"),
        pytest.param({"cdr_id": ""}, "cdr_id: is missing", id="no id"),
        pytest.param({"cdr_id": "a\x00b"}, "cdr_id: ", id="a NUL in an id"),
        pytest.param({"cdr_id": "\u202ea"}, "cdr_id: ", id="an id that reads backwards"),
        pytest.param({"cdr_id": "a" * 256}, "cdr_id: ", id="an id without end"),
        pytest.param({"kind": "refund"}, "kind: ", id="another kind"),
        pytest.param({"issuer": "DEHBC"}, "issuer: ", id="no party"),
        pytest.param({"ended_at": "yesterday"}, "ended_at: ", id="no moment"),
        pytest.param({"ended_at": "0001-01-01T00:00:00+14:00"}, "ended_at: ", id="before time"),
        pytest.param({"ended_at": "9999-12-31T23:59:59-14:00"}, "ended_at: ", id="after time"),
        pytest.param({"ended_at": ""}, "ended_at: ", id="never ended"),
        pytest.param({"session_ref": '"open'}, "not CSV", id="an open quote"),
        pytest.param({"session_ref": "a,b"}, "12 columns under 11", id="a column more"),
    ],
)
def test_a_line_that_cannot_be_compared_is_named_and_stops_nothing(
    given_: dict[str, str], why: str
) -> None:
    found, problems = read(line(**given_) + line(cdr_id="good").splitlines()[1] + "\n")

    assert [each.cdr_id for each in found] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith(f"line 2: {why}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('{"net": NaN}', "net: ", id="NaN"),
        pytest.param('{"net": 1, "net": 2}', "'net' stands twice", id="a repeated key"),
        pytest.param('{"net": ', "not JSON", id="half an object"),
        pytest.param('{"a": ' + "[" * 50_000, "not JSON", id="too deep"),
        pytest.param('{"cdr_id": "\\ud800"}', "not JSON", id="half a surrogate pair"),
        pytest.param('{"net": true}', "net: ", id="true is no amount"),
        pytest.param('{"net": {}}', "net: ", id="an object is no amount"),
        pytest.param('{"net": 1' + "0" * 5000 + "}", "net: ", id="a number of 5,000 digits"),
        pytest.param("{" + " " * LINE_MAX + "}", "longer than", id="a line without end"),
    ],
)
def test_hostile_json_is_named_and_stops_nothing(text: str, why: str) -> None:
    good = next(json_list([CDR]))

    found, problems = read(f"{good}{text}\n{good}")

    assert found == [CDR, CDR]
    assert len(problems) == 1
    assert why in problems[0]


def test_a_line_that_was_changed_on_its_way_is_found() -> None:
    found, problems = read("".join(csv_list([CDR])).replace("1.83702", "1.83703"))

    assert found == []
    assert "the line was changed" in problems[0]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\xff\xfe\x00", b"\xef\xbb\xbf"])
def test_a_file_with_nothing_in_it_has_no_cdrs(text: bytes) -> None:
    found, _ = read(text)

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("cdr_id;net\nA;8,00\nB;9,00\n", id="semicolons"),
        pytest.param("CDR,Amount\nA,8.00\n", id="other headings"),
        pytest.param('[{"cdr_id": "A", "net": 8},\n{"cdr_id": "B", "net": 9}]\n', id="an array"),
        pytest.param("Invoice 77\n\ncdr_id,net\nA,8.00\n", id="a title before the headings"),
    ],
)
def test_what_is_no_list_is_named_once_and_nothing_of_it_is_read(text: str) -> None:
    """Else what it asks for looks as if nobody asked."""
    found, problems = read(text)

    assert found == []
    assert len(problems) == 1
    assert problems[0].startswith("line 1: no heading cdr_id")


def test_headings_that_stand_twice_are_refused() -> None:
    found, problems = read("issuer,net,NET\nDE-HBC,1,2\n")

    assert (found, problems) == (
        [],
        ["line 1: a heading stands twice: nothing of the file is read"],
    )

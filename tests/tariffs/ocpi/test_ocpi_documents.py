"""Partners' JSON as it comes: every official example reads and writes back the same."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tariffs.cdr.cdr import StatedCost
from tariffs.kernel.priced import Note
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.cdr_reader import OcpiCdr, ocpi_cdr_of, read_ocpi_cdr
from tariffs.ocpi.cdr_writer import write_cdr
from tariffs.ocpi.documents import OcpiError, decode_json, objects_in
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion, UnknownVersionError, version_named
from tests.tree import VECTORS

SPECIFICATION = VECTORS / "ocpi-spec"
TARIFFS = sorted(SPECIFICATION.glob("*/tariff*.json"))
CDRS = sorted(SPECIFICATION.glob("*/cdr*.json"))
NDW = sorted((VECTORS / "ndw-tariffs").rglob("*tariff*.json"))
needs_specification = pytest.mark.skipif(
    not TARIFFS, reason="the specification's examples of ../shared are not on this machine"
)


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def version_of(path: Path) -> OcpiVersion:
    return OcpiVersion.V2_2_1 if "2.2.1" in path.parent.name else OcpiVersion.V2_3_0


def exact(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(data, parse_float=Decimal, parse_int=Decimal)


@needs_specification
@pytest.mark.parametrize("path", TARIFFS, ids=named)
def test_an_example_tariff_of_the_specification_is_written_as_it_was_read(path: Path) -> None:
    read = ocpi_tariff_of(decode_json(path.read_bytes()), version=version_of(path))

    written, notes = write_tariff(read.tariff, read.version, carried=read.carried)

    assert exact(encode_ocpi(written)) == exact(path.read_bytes())
    assert {note.code for note in notes} <= {"required"}


@needs_specification
@pytest.mark.parametrize("path", TARIFFS, ids=named)
def test_the_version_of_an_example_tariff_is_told_by_its_shape(path: Path) -> None:
    read = ocpi_tariff_of(decode_json(path.read_bytes()))

    assert read.version is version_of(path)
    assert read.notes == ()


@needs_specification
@pytest.mark.parametrize("path", CDRS, ids=named)
def test_an_example_cdr_of_the_specification_is_written_as_it_was_read(path: Path) -> None:
    read = ocpi_cdr_of(decode_json(path.read_bytes()))

    written, notes = write_cdr(read.cdr, read.version, carried=read.carried)

    expected = exact(path.read_bytes())
    if version_of(path) is OcpiVersion.V2_3_0:
        # The document forgets the field that it requires; we write it.
        expected["tariffs"][0]["tax_included"] = "NO"
    assert read.version is version_of(path)
    assert exact(encode_ocpi(written)) == expected
    assert notes == ()


@needs_specification
@pytest.mark.parametrize("path", CDRS, ids=named)
def test_the_fast_way_reads_the_same_cdr_or_leaves_it_to_the_reader(path: Path) -> None:
    fast = CdrDecoder().decode(path.read_bytes())

    slow, notes = read_ocpi_cdr(path.read_bytes())
    if fast is not None:
        assert (fast.cdr, ()) == (slow, notes)
        assert fast.version is version_of(path)


@needs_specification
def test_a_session_that_has_not_ended_is_refused_where_its_end_is_missing() -> None:
    path = SPECIFICATION / "examples-2.3.0_release_core" / "session_example_1_simple_start.json"

    with pytest.raises(OcpiError, match="has not ended") as refused:
        read_ocpi_cdr(path.read_bytes())

    assert refused.value.spot == "end_date_time"


@pytest.mark.skipif(not NDW, reason="the Dutch tariffs of ../shared are not on this machine")
@pytest.mark.parametrize("path", NDW, ids=named)
def test_dutch_tariffs_without_a_currency_need_one(path: Path) -> None:
    notes: list[Note] = []
    for value, spot in objects_in(decode_json(path.read_bytes()), notes):
        assert isinstance(value, dict)
        if value["currency"] is None:
            with pytest.raises(OcpiError, match="currency: is missing"):
                ocpi_tariff_of(value, spot)
        read = ocpi_tariff_of(value, spot, currency="EUR")
        assert read.tariff.currency == "EUR"
        assert read.version is OcpiVersion.V2_1_1


CDR: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "c",
    "start_date_time": "2026-03-02T10:00:00Z",
    "end_date_time": "2026-03-02T11:00:00Z",
    "cdr_token": {"uid": "1", "contract_id": "DE8"},
    "cdr_location": {"id": "L", "time_zone": "Europe/Berlin"},
    "currency": "EUR",
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T10:00:00Z",
            "dimensions": [
                {"type": "ENERGY", "volume": 7.5},
                {"type": "TIME", "volume": 1},
                {"type": "MAX_POWER", "volume": 11},
                {"type": "STATE_OF_CHARGE", "volume": 80},
            ],
            "tariff_id": "t",
        }
    ],
    "total_cost": {"excl_vat": 3.00, "incl_vat": 3.57},
    "total_energy": 7.5,
    "total_time": 1,
    "last_updated": "2026-03-02T12:00:00Z",
}


def read(**changes: object) -> OcpiCdr:
    return ocpi_cdr_of(decode_json(json.dumps(CDR | changes).encode()))


def test_a_cdr_of_2_2_1_is_said_in_the_words_of_2_3_0() -> None:
    written, notes = write_cdr(read().cdr, OcpiVersion.V2_3_0, carried=read().carried)

    assert written["total_cost"] == {
        "before_taxes": Decimal(3),
        "taxes": [{"name": "VAT", "amount": Decimal("0.57")}],
    }
    assert notes == ()


def test_a_cdr_of_2_2_1_loses_in_2_1_1_what_is_noted() -> None:
    written, notes = write_cdr(read().cdr, OcpiVersion.V2_1_1, carried=read().carried)

    assert written["stop_date_time"] == "2026-03-02T11:00:00Z"
    assert written["total_cost"] == Decimal(3)
    assert written["auth_id"] == "DE8"
    assert [d["type"] for d in written["charging_periods"][0]["dimensions"]] == ["ENERGY", "TIME"]
    assert {note.spot for note in notes} >= {"cdr_location", "cdr_token", "total_cost"}


def test_a_cdr_of_2_1_1_is_read() -> None:
    old: dict[str, Any] = {
        "id": "old",
        "start_date_time": "2026-03-02T10:00:00Z",
        "stop_date_time": "2026-03-02T11:00:00Z",
        "auth_id": "DE8",
        "auth_method": "WHITELIST",
        "location": {"id": "L", "time_zone": "Europe/Amsterdam"},
        "currency": "EUR",
        "charging_periods": [
            {
                "start_date_time": "2026-03-02T10:00:00Z",
                "dimensions": [{"type": "ENERGY", "volume": 7.5}, {"type": "FLAT", "volume": 1}],
            }
        ],
        "total_cost": 3.25,
        "total_energy": 7.5,
        "total_time": 1,
        "last_updated": "2026-03-02T12:00:00Z",
    }
    read_back = ocpi_cdr_of(exact(json.dumps(old).encode()))

    assert read_back.version is OcpiVersion.V2_1_1
    assert read_back.notes == ()
    assert read_back.cdr.time_zone == "Europe/Amsterdam"
    assert read_back.cdr.stated.total_cost == StatedCost(before_taxes=Decimal("3.25"))
    written, notes = write_cdr(read_back.cdr, read_back.version, carried=read_back.carried)
    assert exact(encode_ocpi(written)) == exact(json.dumps(old).encode())
    assert notes == ()


def test_responses_and_lists_are_unwrapped_with_a_note() -> None:
    notes: list[Note] = []

    found = list(objects_in({"data": [{"id": "a"}, {"id": "b"}], "status_code": 1000}, notes))

    assert found == [({"id": "a"}, "data[0]"), ({"id": "b"}, "data[1]")]
    assert [note.code for note in notes] == ["response_envelope"]


@pytest.mark.parametrize("value", [[], {"data": [], "status_code": 1000}])
def test_an_empty_list_is_refused(value: object) -> None:
    with pytest.raises(OcpiError, match="empty list"):
        list(objects_in(value, []))


def test_a_key_that_stands_twice_is_noted_where_it_stands() -> None:
    text = json.dumps(CDR).replace('"volume": 7.5', '"volume": 7.5, "volume": 8')

    cdr, notes = read_ocpi_cdr(text.encode())

    assert cdr.periods[0].energy == 8
    assert [(note.code, note.spot) for note in notes] == [
        ("key_repeated", "charging_periods[0].dimensions[0].volume")
    ]
    assert CdrDecoder().decode(text.encode()) is None


@pytest.mark.parametrize(
    ("key", "before", "twice"),
    [
        ("id", '"id": ', '"id": "another", "id": '),
        ("tariffs", '"currency": ', '"tariffs": [], "tariffs": null, "currency": '),
        ("charging_periods", '"charging_periods"', '"charging_periods": [], "charging_periods"'),
        ("total_cost", '"currency": ', '"total_cost": 5, "total_cost": 6, "currency": '),
        (
            "charging_periods[0].dimensions[0].type",
            '"type": "ENERGY"',
            '"type": "TIME", "type": "ENERGY"',
        ),
    ],
)
def test_no_key_stands_twice_unnoticed(key: str, before: str, twice: str) -> None:
    text = json.dumps(CDR).replace(before, twice, 1)

    assert CdrDecoder().decode(text.encode()) is None
    _, notes = read_ocpi_cdr(text.encode())
    assert ("key_repeated", key) in [(note.code, note.spot) for note in notes]


def test_fields_that_ocpi_does_not_have_are_noted() -> None:
    assert [(n.code, n.spot) for n in read(colour="blue").notes] == [("unknown_field", "colour")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b" \n", "is empty", id="white space"),
        pytest.param(b"{", "not JSON", id="half an object"),
        pytest.param(b"[" * 100_000, "nested too deep", id="deep nesting"),
        pytest.param(b'{"a":' * 100_000, "nested too deep", id="deep objects"),
        pytest.param(b"\xff\xfe", "not JSON", id="no text"),
        pytest.param(b'{"id": "\\ud800"}', "surrogate", id="half a surrogate pair"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(OcpiError, match=why):
        decode_json(text)


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1E+999999", "1e-999999", "9" * 5000, '"NaN"', '"1E+999999"'],
    ids=lambda number: number[:12],
)
def test_a_number_that_is_none_is_refused_where_it_stands(number: str) -> None:
    text = json.dumps(CDR).replace('"volume": 7.5', f'"volume": {number}')

    with pytest.raises(OcpiError) as refused:
        read_ocpi_cdr(text.encode())

    assert refused.value.spot == "charging_periods[0].dimensions[0].volume"
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("changes", "spot"),
    [
        ({"end_date_time": "2026-03-02T09:00:00Z"}, "end_date_time"),
        ({"end_date_time": "2096-03-02T09:00:00Z"}, "end_date_time"),
        ({"end_date_time": "soon"}, "end_date_time"),
        ({"charging_periods": {"a": 1}}, "charging_periods.dimensions"),
        ({"charging_periods": "none"}, "charging_periods"),
        ({"credit": "yes"}, "credit"),
        ({"total_cost": {"excl_vat": "much"}}, "total_cost.excl_vat"),
    ],
)
def test_what_makes_a_cdr_unusable_is_refused_with_its_place(
    changes: dict[str, object], spot: str
) -> None:
    with pytest.raises(OcpiError) as refused:
        read(**changes)

    assert refused.value.spot == spot


def test_a_cdr_without_periods_is_one_period_of_its_totals() -> None:
    whole = read(charging_periods=[], total_parking_time=0.25)

    assert [note.code for note in whole.notes] == ["periods_missing"]
    [period] = whole.cdr.periods
    assert (period.energy, period.time, period.parking_time) == (
        Decimal("7.5"),
        Decimal("0.75"),
        Decimal("0.25"),
    )


def test_hours_that_the_period_does_not_last_are_noted() -> None:
    periods = [
        {**CDR["charging_periods"][0], "dimensions": [{"type": "TIME", "volume": 3}]},
    ]

    [note] = read(charging_periods=periods).notes

    assert (note.code, note.spot) == ("longer_than_period", "charging_periods[0].dimensions")


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(UnknownVersionError, match=r"2\.1\.1, 2\.2\.1, 2\.3\.0"):
        version_named("2.2")

"""The quick way takes clean CDRs alone, and what it keeps of one changes nothing of the next."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tariffs.ocpi.cdr_fast import BareOldCdrDecoder, CdrDecoder
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion

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
            "dimensions": [{"type": "ENERGY", "volume": 7.5}, {"type": "TIME", "volume": 1}],
            "tariff_id": "t",
        }
    ],
    "total_cost": {"before_taxes": 3.00, "taxes": [{"name": "VAT", "amount": 0.57}]},
    "total_energy": 7.5,
    "last_updated": "2026-03-02T12:00:00Z",
}
TEXT = json.dumps(CDR)
KEYS = [(found.start(), found[0]) for found in re.finditer(r'"\w+": ', TEXT)]


def test_a_clean_cdr_is_what_the_reader_reads() -> None:
    read, fast = ocpi_cdr_of(decode_json(TEXT.encode())), CdrDecoder().decode(TEXT.encode())

    assert fast is not None
    assert (fast.cdr, fast.version, ()) == (read.cdr, read.version, read.notes)


@pytest.mark.parametrize(("at", "key"), KEYS, ids=[f"{at}-{key[1:-3]}" for at, key in KEYS])
@pytest.mark.parametrize("value", ["null", "[]", '"t"'])
def test_a_key_that_stands_twice_anywhere_is_left_to_the_reader(
    at: int, key: str, value: str
) -> None:
    twice = f"{TEXT[:at]}{key}{value}, {TEXT[at:]}".encode()
    decoder = CdrDecoder()

    # The second time from what was kept, if anything was.
    assert [decoder.decode(twice) for _ in range(2)] == [None, None]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cdr_location", {"time_zone": "UTC", "colour": "blue"}),
        ("cdr_token", {"colour": "blue"}),
        ("cdr_location", None),
        ("cdr_token", []),
    ],
)
def test_an_odd_token_or_location_is_left_to_the_reader_each_time(key: str, value: object) -> None:
    odd, decoder = json.dumps(CDR | {key: value}).encode(), CdrDecoder()

    assert [decoder.decode(odd) for _ in range(2)] == [None, None]


def test_each_location_has_its_own_zone_also_the_second_time() -> None:
    decoder, zones = CdrDecoder(), ("UTC", "Asia/Tokyo", None)
    located = [
        CDR | {"cdr_location": {"id": "L"} | ({"time_zone": zone} if zone else {})}
        for zone in (*zones, *zones)
    ]

    read = [decoder.decode(json.dumps(value).encode()) for value in located]

    assert [each.cdr.time_zone for each in read if each is not None] == [*zones, *zones]


OLD: dict[str, Any] = {
    "id": "c",
    "start_date_time": "2026-03-02T10:00:00Z",
    "stop_date_time": "2026-03-02T11:00:00Z",
    "currency": "EUR",
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T10:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 7.5}, {"type": "TIME", "volume": 0.75}],
        },
        {
            "start_date_time": "2026-03-02T10:45:00Z",
            "dimensions": [{"type": "PARKING_TIME", "volume": 0.25}],
        },
    ],
    "total_cost": 3.00,
    "total_energy": 7.5,
    "total_time": 1,
    "total_parking_time": 0.25,
}


@pytest.mark.parametrize("left_out", ["", "total_cost", "total_energy", "total_parking_time"])
def test_a_clean_old_cdr_is_what_the_reader_reads(left_out: str) -> None:
    data = json.dumps({key: value for key, value in OLD.items() if key != left_out}).encode()

    read = ocpi_cdr_of(decode_json(data), version=OcpiVersion.V2_1_1)

    assert BareOldCdrDecoder().decode(data) == read.cdr
    assert read.notes == ()


@pytest.mark.parametrize(
    "change",
    [
        {"total_cost": -3.00},
        {"total_cost": {"excl_vat": 3.00}},
        {"total_energy": 1e300},
        {"id": ""},
        {"id": "c\u00e9"},
        {"currency": "eur"},
        {"currency": None},
        {"stop_date_time": "2026-03-02T11:00:00"},
        {"stop_date_time": "2026-03-02T09:00:00Z"},
        {"stop_date_time": "2096-03-02T11:00:00Z"},
        {"start_date_time": "2026-03-02T10:30:00Z"},
        {"end_date_time": "2026-03-02T11:00:00Z"},
        {"charging_periods": []},
        {"charging_periods": [OLD["charging_periods"][0] | {"tariff_id": "t"}]},
        {"charging_periods": [OLD["charging_periods"][0] | {"dimensions": [{"type": "X"}]}]},
        {"tariffs": []},
    ],
    ids=str,
)
def test_an_odd_old_cdr_is_left_to_the_reader(change: dict[str, Any]) -> None:
    data = json.dumps(OLD | change, ensure_ascii=False).encode()

    assert BareOldCdrDecoder().decode(data) is None


def test_an_old_cdr_with_a_key_that_stands_twice_is_left_to_the_reader() -> None:
    data = json.dumps(OLD).replace('{"id"', '{"total_cost": 4, "id"').encode()

    assert BareOldCdrDecoder().decode(data) is None

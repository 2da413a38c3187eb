"""Valid files with any node deleted, replaced or doubled: priced with notes, or refused."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tariffs.cdr.differences import differences_of
from tariffs.cdr.pricing import price_cdr
from tariffs.cdr.report import report_json
from tariffs.errors import TariffError
from tariffs.kernel.pricing import compile_tariff
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.cdr_writer import write_cdr
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.english import ENGLISH

TARIFF: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "t",
    "currency": "EUR",
    "type": "REGULAR",
    "tariff_alt_text": [{"language": "en", "text": "By day and night"}],
    "min_price": {"before_taxes": 0.5, "after_taxes": 0.6},
    "max_price": {"before_taxes": 50},
    "elements": [
        {
            "price_components": [
                {"type": "FLAT", "price": 0.5, "vat": 19, "step_size": 1},
                {"type": "ENERGY", "price": 0.49, "vat": 19, "step_size": 100},
            ],
            "restrictions": {
                "start_time": "07:00",
                "end_time": "20:00",
                "day_of_week": ["MONDAY", "TUESDAY"],
                "start_date": "2026-01-01",
                "end_date": "2027-01-01",
            },
        },
        {
            "price_components": [{"type": "ENERGY", "price": 0.39, "vat": 19, "step_size": 1}],
            "restrictions": {"max_kwh": 40, "min_power": 3, "min_duration": 60},
        },
        {"price_components": [{"type": "PARKING_TIME", "price": 6, "vat": 19, "step_size": 60}]},
        {
            "price_components": [{"type": "TIME", "price": 3, "step_size": 60}],
            "restrictions": {"reservation": "RESERVATION"},
        },
    ],
    "tax_included": "NO",
    "start_date_time": "2026-01-01T00:00:00Z",
    "energy_mix": {"is_green_energy": True},
    "last_updated": "2026-01-01T00:00:00Z",
}
CDR: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "c",
    "start_date_time": "2026-03-02T17:00:00Z",
    "end_date_time": "2026-03-02T21:00:00Z",
    "session_id": "s",
    "cdr_token": {"country_code": "DE", "party_id": "TNM", "uid": "1", "type": "RFID"},
    "auth_method": "WHITELIST",
    "cdr_location": {"id": "L", "time_zone": "Europe/Berlin", "evse_uid": "1"},
    "currency": "EUR",
    "tariffs": [TARIFF],
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T17:00:00Z",
            "dimensions": [{"type": "RESERVATION_TIME", "volume": 0.25}],
            "tariff_id": "t",
        },
        {
            "start_date_time": "2026-03-02T17:15:00Z",
            "dimensions": [
                {"type": "ENERGY", "volume": 12.345},
                {"type": "TIME", "volume": 1.75},
                {"type": "MAX_POWER", "volume": 11},
            ],
            "tariff_id": "t",
        },
        {
            "start_date_time": "2026-03-02T19:00:00Z",
            "dimensions": [
                {"type": "ENERGY", "volume": 7.5},
                {"type": "TIME", "volume": 1},
            ],
            "tariff_id": "t",
        },
        {
            "start_date_time": "2026-03-02T20:00:00Z",
            "dimensions": [{"type": "PARKING_TIME", "volume": 1}],
            "tariff_id": "t",
        },
    ],
    "total_cost": {"before_taxes": 16.47, "taxes": [{"name": "VAT", "amount": 3.13}]},
    "total_energy": 19.845,
    "total_time": 3.75,
    "total_parking_time": 1,
    "total_energy_cost": {"before_taxes": 9.72},
    "last_updated": "2026-03-02T21:05:00Z",
}
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    -0.001,
    10**15,
    10**30,
    "",
    " ",
    "0",
    "-3",
    "NaN",
    "1E+999999",
    "ENERGY",
    "YES",
    "24:00",
    "23:59:59",
    "2026-02-30",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "Mars/Olympus",
    "EUR",
    "\U0001f50c",
    [],
    {},
    [[]],
    [{}],
    {"id": {}},
]


def nodes(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every node below the root."""
    assert isinstance(value, dict | list)
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from nodes(child, (*path, key))


def mutated(value: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Return *value* with one to three nodes deleted, replaced, doubled or exchanged."""
    changed = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 2, 3))):
        places = list(nodes(changed))
        if not places:
            break
        *parents, last = dice.choice(places)
        holder: Any = changed
        for key in parents:
            holder = holder[key]
        match dice.randrange(5):
            case 0:
                del holder[last]
            case 1 | 2:
                holder[last] = copy.deepcopy(dice.choice(ODD))
            case 3 if isinstance(holder, list):
                holder.insert(last, copy.deepcopy(holder[last]))
            case 3:
                holder[f"{last}_"] = holder[last]
            case _:
                *others, key = dice.choice(places)
                found: Any = value
                try:
                    for step in (*others, key):
                        found = found[step]
                except (KeyError, IndexError, TypeError):
                    continue
                holder[last] = copy.deepcopy(found)
    return changed


def priced_or_refused(data: bytes) -> bool:
    """Read, price, compare, report and write *data*; tell whether it was priced."""
    try:
        read = ocpi_cdr_of(decode_json(data))
    except OcpiError:
        assert CdrDecoder().decode(data) is None
        return False
    fast = CdrDecoder().decode(data)
    if fast is not None:
        assert (fast.cdr, fast.version, ()) == (read.cdr, read.version, read.notes)
    for note in read.notes:
        assert note.code
        assert note.message
    for version in OcpiVersion:
        encode_ocpi(write_cdr(read.cdr, version, carried=read.carried)[0])
    tariffs = [compile_tariff(tariff) for tariff in read.cdr.tariffs]
    try:
        priced = price_cdr(read.cdr, tariffs, time_zone=read.cdr.time_zone or "UTC")
    except TariffError:
        return False
    found = differences_of(
        read.cdr,
        priced,
        lambda policy: price_cdr(read.cdr, tariffs, time_zone="UTC", policy=policy),
    )
    json.loads(report_json(priced, identity=read.cdr.id, notes=read.notes, differences=found))
    billable = any(p.energy or p.time or p.parking_time for p in read.cdr.periods)
    prices = any(c.price for t in read.cdr.tariffs for e in t.elements for c in e.price_components)
    if billable and prices and not priced.before_minor:
        assert priced.lines  # a zero has a line that says why
        assert all(ENGLISH.joined(line.reasons, line.context) for line in priced.lines)
    return True


def try_tariff(data: bytes) -> None:
    try:
        read = ocpi_tariff_of(decode_json(data))
    except OcpiError:
        return
    compile_tariff(read.tariff)
    for version in OcpiVersion:
        written, lost = write_tariff(read.tariff, version, carried=read.carried)
        exact = {note.code for note in lost} <= {"required", "many_decimals"}
        if version is OcpiVersion.V2_3_0 and exact:
            again = ocpi_tariff_of(decode_json(encode_ocpi(written)))
            assert again.tariff == read.tariff


def run(rounds: int, seed: int) -> int:
    dice = random.Random(seed)
    priced = 0
    for _ in range(rounds):
        priced += priced_or_refused(json.dumps(mutated(CDR, dice)).encode())
        try_tariff(json.dumps(mutated(TARIFF, dice)).encode())
    return priced


def test_the_files_that_are_changed_are_valid() -> None:
    assert ocpi_cdr_of(decode_json(json.dumps(CDR).encode())).notes == ()
    assert CdrDecoder().decode(json.dumps(CDR).encode()) is not None
    assert priced_or_refused(json.dumps(CDR).encode())


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_file_is_priced_with_notes_or_refused_with_a_place(seed: int) -> None:
    priced = run(400, seed)

    assert 40 < priced < 390


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_changed_files_are_priced_or_refused(seed: int) -> None:
    assert run(10_000, seed)


@pytest.mark.parametrize("seed", range(2))
def test_bytes_that_are_cut_or_changed_are_refused_or_read(seed: int) -> None:
    dice = random.Random(seed)
    text = json.dumps(CDR).encode()
    for _ in range(300):
        at = dice.randrange(len(text))
        data = text[:at] if dice.random() < 0.3 else text[:at] + dice.randbytes(2) + text[at + 2 :]
        priced_or_refused(data)

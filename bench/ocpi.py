"""OCPI JSON in, priced CDR out: decode, price and explain, on one core."""

from __future__ import annotations

import json
import os
import sys
import time as clock
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.peers.decimal_rater import decimal_total
from bench.pricing import Row, bench_tariff
from deploy.commands.price import price
from tariffs.cdr.pricing import price_cdr
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion

ZONE: Final = "Europe/Berlin"
START: Final = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
PARKED: Final = 3
TOKEN: Final = {
    "country_code": "DE",
    "party_id": "XYZ",
    "uid": "04A2B3C4",
    "type": "RFID",
    "contract_id": "DE-XYZ-C1-2",
}
LOCATION: Final = {
    "id": "depot",
    "name": "Depot",
    "address": "Hauptstrasse 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DEU",
    "coordinates": {"latitude": "52.520008", "longitude": "13.404954"},
    "evse_uid": "7",
    "evse_id": "DE*ABC*E7",
    "connector_id": "1",
    "connector_standard": "IEC_62196_T2",
    "connector_format": "SOCKET",
    "connector_power_type": "AC_3_PHASE",
    "time_zone": ZONE,
}


def bench_cdr(number: int) -> bytes:
    """Return a CDR of four periods, cut where the price changes; the last is parked."""
    start = START + timedelta(hours=number % 200)
    hours = [_text(start + timedelta(hours=hour)) for hour in range(5)]
    volumes = (7 + number % 9 / 10, 7.0005, 6 + number % 997 / 1000)
    dimensions: list[list[dict[str, Any]]] = [
        [{"type": "ENERGY", "volume": round(kwh, 4)}, {"type": "TIME", "volume": 1.0}]
        for kwh in volumes
    ]
    dimensions.append([{"type": "PARKING_TIME", "volume": 1.0}])
    cdr = {
        "country_code": "DE",
        "party_id": "ABC",
        "id": f"cdr-{number}",
        "start_date_time": hours[0],
        "end_date_time": hours[4],
        "session_id": f"session-{number}",
        "cdr_token": TOKEN,
        "auth_method": "WHITELIST",
        "cdr_location": LOCATION,
        "currency": "EUR",
        "charging_periods": [
            {"start_date_time": at, "dimensions": found, "tariff_id": "bench"}
            for at, found in zip(hours, dimensions, strict=False)
        ],
        "total_cost": {"excl_vat": 17.5, "incl_vat": 20.83},
        "total_energy": round(sum(volumes), 4),
        "total_time": 4.0,
        "total_parking_time": 1.0,
        "last_updated": hours[4],
    }
    return json.dumps(cdr).encode()


def rows(seconds: float) -> list[Row]:
    """Measure for about *seconds*, half of it ours; both must agree on every total."""
    tariff = bench_tariff()
    compiled, decoder = compile_tariff(tariff), CdrDecoder()
    cdrs = [bench_cdr(number) for number in range(2000)]

    def ours(data: bytes) -> tuple[int, int]:
        read = decoder.decode(data)
        assert read is not None
        priced = price_cdr(read.cdr, compiled)
        return priced.before_minor, priced.tax_minor

    def peer(data: bytes) -> tuple[Decimal, Decimal]:
        return decimal_total(_usage(json.loads(data, parse_float=Decimal)), tariff)

    for data in cdrs:
        before, tax = ours(data)
        paid = (Decimal(before).scaleb(-2), Decimal(before + tax).scaleb(-2))
        assert paid == peer(data), data
    value, peer_value = _rate(ours, cdrs, seconds / 2), _rate(peer, cdrs, seconds / 2)
    return [
        {
            "name": "ocpi_parse_and_price",
            "value": value,
            "unit": "CDRs/s",
            "peer": "stdlib json and the same rules written plainly (bench/peers/decimal_rater.py)",
            "peer_value": peer_value,
            "ratio": value / peer_value,
        },
        *_command_rows(compiled, seconds / 4),
    ]


def _command_rows(compiled: CompiledTariff, seconds: float) -> list[Row]:
    """Measure `wattledger price` on CDRs whose totals agree, beside decoding and pricing alone."""
    decoder = CdrDecoder()
    with TemporaryDirectory() as folder:
        cdrs, tariff = Path(folder, "cdrs.jsonl"), Path(folder, "tariff.json")
        written, _ = write_tariff(compiled.tariff, OcpiVersion.V2_2_1)
        tariff.write_bytes(encode_ocpi(written))
        lines = [_agreeing(bench_cdr(number), compiled) for number in range(2000)]
        cdrs.write_bytes(b"\n".join(lines))

        def library(data: bytes) -> object:
            read = decoder.decode(data)
            return None if read is None else price_cdr(read.cdr, compiled)

        def command(*, as_json: bool) -> Callable[[bytes], object]:
            def run(_: bytes) -> object:
                with (
                    Path(os.devnull).open("w", encoding="utf-8") as nothing,
                    redirect_stdout(nothing),
                ):
                    return price(tariff=[tariff], cdr=[cdrs], as_json=as_json)

            return run

        alone = _rate(library, lines, seconds)
        measured = {
            name: _rate(command(as_json=as_json), [b""], seconds) * len(lines)
            for name, as_json in (("json", True), ("text", False))
        }
    return [
        {
            "name": f"ocpi_price_command_{name}",
            "value": value,
            "unit": "CDRs/s",
            "peer": "our own library: decoded and priced, neither compared nor explained",
            "peer_value": alone,
            "ratio": value / alone,
        }
        for name, value in measured.items()
    ]


def _agreeing(data: bytes, compiled: CompiledTariff) -> bytes:
    """Return a CDR with the total that we get: nothing differs, and nothing is priced twice."""
    read = CdrDecoder().decode(data)
    assert read is not None
    priced = price_cdr(read.cdr, compiled)
    total = {
        "excl_vat": float(priced.total_before_taxes.amount),
        "incl_vat": float(priced.total_after_taxes.amount),
    }
    return json.dumps(json.loads(data) | {"total_cost": total}).encode()


def _usage(cdr: dict[str, Any]) -> SessionUsage:
    """Return a CDR's periods as readings."""
    periods = cdr["charging_periods"]
    moments = [datetime.fromisoformat(period["start_date_time"]) for period in periods]
    moments.append(datetime.fromisoformat(cdr["end_date_time"]))
    points, total = [UsagePoint(moments[0], Decimal(0))], Decimal(0)
    for period, at in zip(periods, moments[1:], strict=True):
        for dimension in period["dimensions"]:
            if dimension["type"] == "ENERGY":
                total += dimension["volume"] * 1000
        points.append(UsagePoint(at, total))
    spans = (UsageSpan(moments[0], Activity.CHARGING), UsageSpan(moments[PARKED], Activity.PARKING))
    return SessionUsage(
        starts_at=moments[0],
        ends_at=moments[-1],
        time_zone=cdr["cdr_location"]["time_zone"],
        points=tuple(points),
        spans=spans,
    )


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _rate(price: Callable[[bytes], object], cdrs: list[bytes], seconds: float) -> float:
    """Return how many of *cdrs* are priced in a second of this process's own time."""
    begun, done = clock.process_time(), 0
    while not done or clock.process_time() - begun < seconds:
        for data in cdrs:
            price(data)
        done += len(cdrs)
    return done / (clock.process_time() - begun)


if __name__ == "__main__":
    for row in rows(2.0):
        print(f"{row['name']}: {row['value']:,.0f} {row['unit']}, {row['ratio']:,.1f} x the peer")

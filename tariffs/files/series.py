"""A price series in a tariff file: prices in the file itself, or in a CSV or JSON beside it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Final

from tariffs.files.elements import percent_of, seconds_of
from tariffs.files.yaml.fields import Fields, Notebook, moment_of_text, read_scalar, signed_of
from tariffs.files.yaml.reader import Mapping
from tariffs.model.price_series import PriceSeries, series_faults
from tariffs.problems import Problem
from tariffs.quantities import EXACT, plain

_PER_KWH: Final = {"kWh": 0, "MWh": -3}
_BYTES_MAX: Final = 20_000_000
_MINUTE: Final = 60

Price = tuple[datetime, Decimal]


def read_price_series(
    fields: Fields, notebook: Notebook, *, below_zero: bool
) -> PriceSeries | None:
    """Read `price_series` of a tariff; prices per MWh become prices per kWh."""
    node = fields.node_of("price_series")
    if node is None:
        return None
    inner = Fields(node, notebook, "the price series")
    name = inner.text("name") or "spot"
    interval = inner.read("interval", seconds_of, required=True)
    unit = inner.choice("unit", _PER_KWH) or "kWh"
    prices = [*_inline(inner, notebook), *_from_file(inner, notebook)]
    percent = inner.read("percent", percent_of) or Decimal(0)
    markup = inner.number("markup") or Decimal(0)
    floor, cap = inner.number("floor"), inner.number("cap")
    inner.finish()
    if inner.has("prices") == inner.has("file"):
        notebook.complain(node, "the price series needs either 'prices' or 'file'")
    if notebook.problems or interval is None:
        return None
    series = PriceSeries(
        name=name,
        minutes=interval // _MINUTE if interval % _MINUTE == 0 else 0,
        prices=tuple((at, plain(EXACT.scaleb(price, _PER_KWH[unit]))) for at, price in prices),
        percent=percent,
        markup=markup,
        floor=floor,
        cap=cap,
    )
    for fault in series_faults(series, below_zero=below_zero):
        notebook.complain(node, f"the price series: {fault}")
    return series


def _inline(fields: Fields, notebook: Notebook) -> Iterator[Price]:
    """Read `prices: {2026-03-29T00:00:00+01:00: 0.10}`."""
    node = fields.node_of("prices")
    if node is None:
        return
    if not isinstance(node, Mapping):
        notebook.complain(node, "prices must be moments with their price")
        return
    for key, value in node.entries.values():
        at = read_scalar(key, moment_of_text, notebook, "prices")
        price = read_scalar(value, signed_of, notebook, "prices")
        if at is not None and price is not None:
            yield at, price


def _from_file(fields: Fields, notebook: Notebook) -> list[Price]:
    """Read the file beside the tariff; its problems are noted at its own lines."""
    name = fields.text("file")
    if name is None:
        return []
    spot = fields.key_node("file")
    if notebook.is_alone:
        notebook.complain(spot, "there is no file beside this text: put its prices under 'prices'")
        return []
    # A tariff file may come from anybody: it must not reach files outside of its own folder.
    if Path(name).name != name or Path(name).suffix not in {".csv", ".json"}:
        notebook.complain(spot, "the file must be a .csv or .json in the tariff's own folder")
        return []
    path = Path(notebook.source).parent / name
    try:
        if path.stat().st_size > _BYTES_MAX:
            notebook.complain(spot, f"{name} is larger than {_BYTES_MAX} bytes")
            return []
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        notebook.complain(spot, f"{name} cannot be read: {error}")
        return []
    rows = _csv_rows(text) if path.suffix == ".csv" else _json_rows(text)
    prices = []
    for line, row in rows:
        if isinstance(row, str):
            notebook.problems.append(Problem(str(path), line, 1, row))
        else:
            prices.append(row)
    return prices


def _csv_rows(text: str) -> Iterator[tuple[int, Price | str]]:
    """Yield (line, price or what is wrong) of a CSV with the columns starts_at and price."""
    rows = csv.DictReader(StringIO(text))
    if not {"starts_at", "price"} <= set(rows.fieldnames or ()):
        yield 1, "the first line must name the columns starts_at and price"
        return
    for row in rows:
        yield rows.line_num, _price_of(row["starts_at"], row["price"])


def _json_rows(text: str) -> Iterator[tuple[int, Price | str]]:
    """Yield (1, price or what is wrong) of a list of objects with starts_at and price."""
    try:
        rows = json.loads(
            text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        yield 1, f"this is no JSON: {error}"
        return
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        if not isinstance(row, dict) or not {"starts_at", "price"} <= row.keys():
            yield 1, f"entry {number} must have starts_at and price"
            return
        yield 1, _price_of(row["starts_at"], row["price"])


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; a key that stands there twice is a fault."""
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key stands twice in one object"
        raise ValueError(message)
    return found


def _price_of(starts_at: object, price: object) -> Price | str:
    try:
        return moment_of_text(str(starts_at).strip()), signed_of(str(price))
    except ValueError as error:
        return str(error)

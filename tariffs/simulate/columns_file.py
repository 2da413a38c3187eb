"""Sessions for back-testing as a columnar file: a .npz that is written and read by the chunk.

The file is a zip archive of NumPy arrays (no pickles). `format` and `currency` stand first; each
chunk n has the arrays `nnnnn.NAME.npy`, NAME being the fields of `SessionColumns` (instants in
microseconds since 1970, registers in 1e-9 Wh, all int64), `ids`, `customers`, `customer`, `sites`,
`site`, `billed_before`, `billed_after` (minor units) and `is_billed`; where stations are known,
`stations` and `station` too. Only one chunk is in memory at a time.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import msgspec
import numpy as np
from numpy.lib.format import read_array, write_array
from numpy.typing import NDArray

from tariffs.bulk.checks import BrokenColumnsError, check_columns
from tariffs.bulk.columns import Flags, Integers, Privilege, SessionColumns
from tariffs.simulate.history import AMOUNT_MINOR_MAX, HistoryChunk

FORMAT: Final = "wattledger-sessions-2"
# An array's size is read before its bytes: a small zip can unpack to any size.
_BYTES_MAX: Final = 2**29
_PLAIN: Final = (
    *("starts_us", "ends_us", "zone", "privilege", "point_offsets", "point_us", "point_units"),
    *("span_offsets", "span_us", "span_state"),
)
_OPTIONAL: Final = ("power_mw", "current_ma")
_PRIVILEGE: Final = msgspec.json.Decoder(Privilege)
_OWN: Final = ("customer", "site", "billed_before", "billed_after")


def write_columns_file(file: IO[bytes], chunks: Iterable[HistoryChunk]) -> int:
    """Write *chunks* (of one currency) to *file*; return how many sessions were written.

    Sessions that columns cannot hold, and those that could not be read, are left out.
    """
    sessions = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _write(archive, "format", np.array(FORMAT))
        for number, chunk in enumerate(chunks):
            if not number:
                _write(archive, "currency", np.array(chunk.currency))
            plain = chunk.only(chunk.in_columns())
            for name, values in _arrays(plain).items():
                _write(archive, f"{number:05}.{name}", values)
            sessions += len(plain.columns)
    return sessions


def _arrays(chunk: HistoryChunk) -> dict[str, NDArray[Any]]:
    columns = chunk.columns
    arrays: dict[str, NDArray[Any]] = {name: getattr(columns, name) for name in _PLAIN}
    for name in _OPTIONAL:
        if getattr(columns, name) is not None:
            arrays[name] = getattr(columns, name)
    for name in _OWN:
        arrays[name] = getattr(chunk, name)
    arrays["is_billed"] = chunk.is_billed
    if chunk.station is not None:
        arrays["station"] = chunk.station
    for name, texts in (
        ("zones", columns.zones),
        (
            "privileges",
            [msgspec.json.encode(privilege).decode() for privilege in columns.privileges],
        ),
        ("ids", chunk.ids),
        ("customers", chunk.customers),
        ("sites", chunk.sites),
        ("stations", chunk.stations),
    ):
        arrays[name] = np.array(texts, dtype=np.str_)
    return arrays


def _write(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        write_array(member, values, allow_pickle=False)


def read_columns_file(file: IO[bytes]) -> Iterator[HistoryChunk]:
    """Yield the chunks of *file*, checked.

    Raises:
        BrokenColumnsError: If it is no such file, or its columns contradict themselves.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            kind = str(_read(archive, "format"))
            if kind != FORMAT:
                raise BrokenColumnsError(kind, f"the format is not {FORMAT}; save it once more")
            members = set(archive.namelist())
            number = 0
            while f"{number:05}.starts_us.npy" in members:
                yield _chunk(archive, members, f"{number:05}.", str(_read(archive, "currency")))
                number += 1
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise BrokenColumnsError(type(error).__name__, str(error)) from error


def _chunk(archive: zipfile.ZipFile, members: set[str], prefix: str, currency: str) -> HistoryChunk:
    plain = {name: _integers(archive, prefix + name) for name in _PLAIN}
    optional = {
        name: _integers(archive, prefix + name)
        for name in _OPTIONAL
        if f"{prefix}{name}.npy" in members
    }
    columns = SessionColumns(
        zones=_texts(archive, prefix + "zones"),
        privileges=_privileges(archive, prefix + "privileges"),
        whole={},
        power_mw=optional.get("power_mw"),
        current_ma=optional.get("current_ma"),
        **plain,
    )
    check_columns(columns)
    own = {name: _integers(archive, prefix + name) for name in _OWN}
    has_stations = f"{prefix}station.npy" in members
    is_billed: Flags = _read(archive, prefix + "is_billed").astype(np.bool_)
    chunk = HistoryChunk(
        columns=columns,
        ids=_texts(archive, prefix + "ids"),
        customers=_texts(archive, prefix + "customers"),
        sites=_texts(archive, prefix + "sites"),
        currency=currency,
        is_billed=is_billed,
        unread=(),
        spots=(),
        stations=_texts(archive, prefix + "stations") if has_stations else (),
        station=_integers(archive, prefix + "station") if has_stations else None,
        **own,
    )
    _check_owners(chunk)
    return chunk


def _check_owners(chunk: HistoryChunk) -> None:
    stations = () if chunk.station is None else ("station",)
    for name in ("ids", "is_billed", *_OWN, *stations):
        if len(getattr(chunk, name)) != len(chunk.columns):
            raise BrokenColumnsError(name, "it has not one row a session")
    named = {"customer": chunk.customers, "site": chunk.sites}
    for name, names in (named | dict.fromkeys(stations, chunk.stations)).items():
        index = getattr(chunk, name)
        if len(index) and (index.min() < 0 or index.max() >= len(names)):
            raise BrokenColumnsError(name, "it has a number without a name")
    for name in ("billed_before", "billed_after"):
        billed = getattr(chunk, name)
        if len(billed) and max(abs(int(billed.min())), abs(int(billed.max()))) > AMOUNT_MINOR_MAX:
            raise BrokenColumnsError(name, "an amount is no reasonable number")


def _integers(archive: zipfile.ZipFile, name: str) -> Integers:
    values = _read(archive, name)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise BrokenColumnsError(name, "it is no row of whole numbers")
    return values.astype(np.int64, copy=False)


def _texts(archive: zipfile.ZipFile, name: str) -> tuple[str, ...]:
    values = _read(archive, name)
    if values.dtype.kind != "U" and values.size:
        raise BrokenColumnsError(name, "it is no row of texts")
    return tuple(values.tolist())


def _privileges(archive: zipfile.ZipFile, name: str) -> tuple[Privilege, ...]:
    try:
        return tuple(map(_PRIVILEGE.decode, _texts(archive, name)))
    except msgspec.DecodeError as error:
        raise BrokenColumnsError(name, f"a privilege is no JSON of two lists: {error}") from None


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise BrokenColumnsError(name, "it is not there") from None
    if info.file_size > _BYTES_MAX:
        raise BrokenColumnsError(name, f"it is larger than {_BYTES_MAX} bytes")
    with archive.open(info) as member:
        values: NDArray[Any] = read_array(member, allow_pickle=False)
    return values

"""The past to re-rate: from a file, or from the books."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from ledger.declared.store import load_declarations
from ledger.persons.store import names_of
from projections.errors import ProjectionError
from projections.history import Choose, everything, past_sessions, rated_between
from tariffs.files.yaml.reader import SIZE_MAX
from tariffs.simulate.columns_file import read_columns_file, write_columns_file
from tariffs.simulate.history import HistoryChunk, PastSession, Unread, chunks_of
from tariffs.simulate.lines import read_csv_lines, read_json_lines, read_yaml_session

_COLUMNS: Final = ".npz"
_JSON_LINES: Final = {".jsonl", ".ndjson"}
_YAML: Final = {".yaml", ".yml"}
# Told how much of how much is done.
Told = Callable[[int, int], None]


def history_of_file(
    exits: ExitStack, path: Path, currency: str, told: Told
) -> Iterator[HistoryChunk]:
    """Yield the sessions of *path* (.jsonl, .csv, .npz; .yaml is one), chunk by chunk.

    Raises:
        ProjectionError: If the file cannot be read or is of no known kind.
        TariffError: If it does not hold what its name says.
    """
    try:
        file = exits.enter_context(path.open("rb"))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise ProjectionError(message) from error
    size = max(path.stat().st_size, 1)
    if path.suffix == _COLUMNS:
        chunks = read_columns_file(file)
    elif path.suffix in _JSON_LINES:
        chunks = chunks_of(read_json_lines(file, str(path)), currency)
    elif path.suffix == ".csv":
        lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
        chunks = chunks_of(read_csv_lines(lines, str(path)), currency)
    elif path.suffix in _YAML:
        # As bytes: what is no UTF-8 becomes a character that the reader refuses with its place.
        text = file.read(SIZE_MAX + 1).decode("utf-8", "replace")
        chunks = chunks_of(read_yaml_session(text, str(path), path.stem), currency)
    else:
        message = f"{path}: sessions come as .jsonl, .csv, .npz or .yaml"
        raise ProjectionError(message)
    for chunk in chunks:
        yield chunk
        told(file.tell(), size)


def history_of_books(
    connection: Connection[Any],
    since: date,
    until: date,
    currency: str,
    told: Told,
    choose: Choose = everything,
) -> Iterator[HistoryChunk]:
    """Yield the rated sessions that began from *since* until the day before *until* (UTC)."""
    first, end = _midnight(since), _midnight(until)
    declarations = load_declarations(connection)
    stations = rated_between(connection, since=first, until=end)
    total = sum(stations.values())

    def sessions() -> Iterator[tuple[str, PastSession | Unread]]:
        done = 0
        for station, count in stations.items():
            yield from past_sessions(
                connection, declarations, station, since=first, until=end,
                currency=currency, choose=choose,
            )  # fmt: skip
            done += count
            told(done, total)

    return chunks_of(sessions(), currency)


def with_names(
    connection: Connection[Any], chunks: Iterator[HistoryChunk]
) -> Iterator[HistoryChunk]:
    """Yield *chunks* with the names of those customers and tokens that were not erased."""
    for chunk in chunks:
        names = names_of(connection, chunk.customers)
        yield replace(chunk, customers=tuple(names.get(each, each) for each in chunk.customers))


def save_history(path: Path, chunks: Iterator[HistoryChunk]) -> int:
    """Write *chunks* to a .npz and return how many sessions it holds.

    Raises:
        ProjectionError: If it cannot be written.
    """
    if path.suffix != _COLUMNS:
        message = f"{path}: --save writes a .npz"
        raise ProjectionError(message)
    try:
        with path.open("wb") as file:
            return write_columns_file(file, chunks)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise ProjectionError(message) from error


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=UTC)

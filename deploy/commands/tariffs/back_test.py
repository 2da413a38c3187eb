"""The back-test that `wattledger tariff simulate` asks for: run, printed and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from deploy.commands.data_folder import ReadingFolder
from deploy.commands.tariffs.reading import compiled_tariff
from deploy.commands.tariffs.simulate import Past, Reports
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.progress_bar import progress_bar
from deploy.running.opening import opened
from projections.history_reading import (
    Told,
    history_of_books,
    history_of_file,
    save_history,
    with_names,
)
from tariffs.model.policy import policy_named
from tariffs.simulate.history import HistoryChunk
from tariffs.simulate.html import simulation_html
from tariffs.simulate.session_rows import SessionRows
from tariffs.simulate.simulation import SimulationResult, extremes, simulated
from tariffs.simulate.tables import result_csv, result_tables, sentences


def back_test(
    file: Path,
    against: Path | None,
    *,
    policy: str,
    past: Past,
    reports: Reports,
    folder: ReadingFolder,
) -> int:
    """Re-rate *past* with the tariff of *file*, print and write *reports*; return the exit code."""
    chosen = policy_named(policy)
    new = compiled_tariff(file)
    old = None if against is None else compiled_tariff(against)
    with ExitStack() as exits:
        rows = _session_rows(exits, reports.session_csv, new.tariff.currency)
        told = exits.enter_context(progress_bar("re-rating", is_shown=not folder.json))
        chunks = _chunks(exits, past, new.tariff.currency, told, folder)
        result = simulated(chunks, new, old, policy=chosen, top=max(reports.top, 0), rows=rows)
    if reports.session_csv is not None and not folder.json:
        say(f"{reports.session_csv} is written.")
    if reports.csv is not None:
        _write(reports.csv, result_csv(result), is_quiet=folder.json)
    if reports.html is not None:
        title = f"Back-test of {new.tariff.name or new.tariff.id}"
        page = simulation_html(result, title, top=reports.top)
        _write(reports.html, page, is_quiet=folder.json)
    if folder.json:
        print_json(_content(result, reports.top))
        return 0
    for table in result_tables(result, top=reports.top):
        print_rows(table.title, table.columns, table.rows)
    for line in sentences(result):
        say(line)
    return 0


def _chunks(
    exits: ExitStack, past: Past, currency: str, told: Told, folder: ReadingFolder
) -> Iterator[HistoryChunk]:
    match past:
        case Past(sessions=Path() as path, since=None, until=None):
            chunks = history_of_file(exits, path, currency, told)
        case Past(sessions=None, since=date() as since, until=date() as until):
            connection = exits.enter_context(opened(folder.settings()))
            chunks = history_of_books(connection, since, until, currency, told)
            if past.save is not None:
                # Without names: the file outlives whoever is erased.
                save_history(past.save, chunks)
                chunks = history_of_file(exits, past.save, currency, told)
            return with_names(connection, chunks)
        case _:
            message = "tariff simulate needs --sessions FILE, or --from DATE and --to DATE"
            raise DeployError(message)
    if past.save is None:
        return chunks
    save_history(past.save, chunks)
    return history_of_file(exits, past.save, currency, told)


def _session_rows(exits: ExitStack, path: Path | None, currency: str) -> SessionRows | None:
    if path is None:
        return None
    try:
        return SessionRows(exits.enter_context(path.open("w", encoding="utf-8")), currency)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise DeployError(message) from error


def _write(path: Path, text: str, *, is_quiet: bool) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise DeployError(message) from error
    if not is_quiet:
        say(f"{path} is written.")


def _content(result: SimulationResult, top: int) -> dict[str, object]:
    """Return the result for machines; amounts in minor units, energy in thousandths of a Wh."""
    lists: dict[str, object] = {}
    for kind, changes in (
        ("customers", result.customers),
        ("sites", result.sites),
        ("stations", result.stations),
    ):
        winners, losers = extremes(changes, top)
        lists[kind] = {"count": len(changes), "winners": winners, "losers": losers}
    return {
        "currency": result.currency,
        "total": result.total,
        "before_taxes_minor": result.before_minor,
        "dearer": result.dearer,
        "cheaper": result.cheaper,
        "months": sorted(result.months.values(), key=lambda change: change.name),
        "signs": list(result.signs.values()),
        "sessions": {"winners": result.winners, "losers": result.losers},
        "rated_by_kernel": result.by_kernel,
        "left_out": result.left_out,
        "unread": result.unread,
        "notes": result.notes,
        **lists,
    }

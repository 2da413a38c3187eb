"""`wattledger replay`: does the log say the same again, byte for byte?"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from projections.replay.replay import ReplayReport

CONTEXT = 120
WORKERS_MAX = 32
"""Each has two connections to the database, which takes a hundred."""


def replay(
    *,
    check: Annotated[bool, Parameter(negative=())] = False,
    workers: int | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Read the log again from its start and compare every decision and document, byte for byte.

    Works in a schema of its own; nothing is changed. Exits 1 if anything differs.

    Args:
        check: Compare (the only thing that a replay does so far).
        workers: Among how many processes partitions are dealt out (default: one for each
            processor). What comes out does not hang on it.
        folder: Where.
    """
    from deploy.progress_bar import progress_bar
    from deploy.running.log_store import open_event_log
    from deploy.running.replay import replay_and_compare, replay_in_processes
    from ledger.database import dsn_of

    if not check:
        message = "say --check: comparing is all that a replay does"
        raise DeployError(message)
    if workers is None:
        workers = min(os.cpu_count() or 1, WORKERS_MAX)
    if not 1 <= workers <= WORKERS_MAX:
        message = f"--workers must be between 1 and {WORKERS_MAX}, not {workers}"
        raise DeployError(message)
    settings, began = folder.settings(), monotonic()
    with (
        opened_with_log(settings) as (connection, log),
        progress_bar("replaying", is_shown=not folder.json) as show,
    ):

        def progress(done: int, total: int, lines: int) -> None:
            show(done, total, f"{lines:,} lines, {lines / (monotonic() - began):,.0f} a second")

        dsn = dsn_of(connection)
        if workers == 1:
            report = replay_and_compare(dsn, log, progress=progress)
        else:
            open_log = partial(open_event_log, dsn, settings)
            report = replay_in_processes(dsn, open_log, workers=workers, progress=progress)
    if folder.json:
        print_json(report)
    else:
        _print_replay(report)
    return 0 if report.is_identical else 1


def _print_replay(report: ReplayReport) -> None:
    rows = list(report.compared_by_kind.items())
    print_rows("Compared", {"what": "left", "count": "right"}, rows)
    for each in report.shown:
        kept, again = first_difference(each.kept, each.again)
        say(f"{each.what} {each.key}", f"  kept  {kept}", f"  again {again}")
    say(f"{report.lines} lines replayed, {report.compared} compared, {report.differences} differ")


def first_difference(kept: str | None, again: str | None) -> tuple[str, str]:
    """Return the surroundings of the first difference of two texts; None says it is missing."""
    if kept is None or again is None:
        return kept or "(missing)", again or "(missing)"
    pairs = enumerate(zip(kept, again, strict=False))
    shared = next((index for index, (one, other) in pairs if one != other), len(kept))
    start = max(0, shared - CONTEXT // 2)
    window = slice(start, start + CONTEXT)
    return f"...{kept[window]}...", f"...{again[window]}..."

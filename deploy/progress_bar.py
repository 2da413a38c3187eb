"""How far a long command is, as a bar on the other channel, where a person looks at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class ShowProgress(Protocol):
    """Moves the bar."""

    def __call__(self, done: int, total: int, said: str = "") -> None:
        """Show that *done* of *total* is done; *said* stands behind it."""


@contextmanager
def progress_bar(what: str, *, is_shown: bool) -> Iterator[ShowProgress]:
    """Show a bar for *what* while this holds; none where nobody looks or *is_shown* is not."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not (is_shown and sys.stderr.isatty()),
        transient=True,
    )
    with progress:
        task = progress.add_task(what, total=None, said="")

        def show(done: int, total: int, said: str = "") -> None:
            progress.update(task, completed=min(done, total), total=total, said=said)

        yield show

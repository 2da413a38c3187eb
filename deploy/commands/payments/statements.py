"""`wattledger payments import`: bank statements from files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from ledger.desk.paying.statements import ImportedFiles

COLUMNS: Final = {
    "account": "left",
    "statement": "left",
    "lines": "right",
    "known": "right",
    "to decide": "right",
    "left out": "right",
}
_CSV: Final = {".csv", ".txt", ".tsv"}


class UnreadableFileError(DeployError):
    """A file cannot be opened."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"cannot read {path}: {error.strerror}")
        self.path = path


class LayoutNeededError(DeployError):
    """A CSV says nothing of what its columns are."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is a CSV: say what its columns are with --layout FILE (docs/payments.md)"
        )
        self.path = path


def import_statements(
    *files: Path,
    layout: Path | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Import bank statements (camt.053, CSV): book each line once, match those that are sure.

    Each statement is booked whole or not at all, and must add up. The same statement, or the same
    line in another one, is booked once. What is not sure waits: `wattledger payments unmatched`.

    Args:
        files: Files of CAMT, or of CSV with a layout.
        layout: What the columns of a CSV are, as YAML (docs/payments.md).
        by: Who imports (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.paying.statements import StatementFile, import_files

    if not files:
        message = "payments import needs at least one file"
        raise DeployError(message)
    text = None if layout is None else read_text(layout)

    def layout_of(path: Path) -> str | None:
        if path.suffix.lower() not in _CSV:
            return None
        if text is None:
            raise LayoutNeededError(path)
        return text

    with ExitStack() as exits:
        wanted = [
            StatementFile(
                path.name, exits.enter_context(_content(path)), layout_of(path), str(layout or "")
            )
            for path in files
        ]
        connection = exits.enter_context(opened(folder.settings()))
        done = import_files(connection, wanted, by=acting(by), at=SystemClock().now())
    _tell(done, folder)
    return 0


def _content(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableFileError(path, error) from error


def _tell(done: ImportedFiles, folder: ReadingFolder) -> None:
    if folder.json:
        statements = [each._asdict() for each in done.statements]
        print_json({"statements": statements, "matched_later": done.matched_later})
        return
    rows = [
        (each.account, each.statement_id, each.lines, each.known, each.waiting, each.left_out)
        if each.is_new
        else (each.account, each.statement_id, "known", "", "", "")
        for each in done.statements
    ]
    print_rows("Statements", COLUMNS, rows)
    if done.matched_later:
        say(f"{done.matched_later} lines that had waited are matched now")
    if any(each.waiting for each in done.statements):
        say("what waits for a decision: `wattledger payments unmatched`")

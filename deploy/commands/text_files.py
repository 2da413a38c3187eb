"""The text files that people name on the command line."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        DeployError: If it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(path, error) from error
    except OSError as error:
        message = f"cannot read {path}: {error}"
        raise DeployError(message) from error


class NotUtf8Error(DeployError):
    """A file holds bytes that are no UTF-8; `line` and `column` (from 1) say where."""

    def __init__(self, path: Path, error: UnicodeDecodeError) -> None:
        before = error.object[: error.start]
        self.path, self.line = path, before.count(b"\n") + 1
        self.column = error.start - before.rfind(b"\n")
        self.why = "not UTF-8: save the file as UTF-8"
        super().__init__(f"{path}:{self.line}:{self.column}: {self.why}")

"""Files, folders and JSON Lines of OCPI objects or YAML, opened one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from roaming_ocpi.errors import RoamingError

YAML: Final = frozenset({".yaml", ".yml"})
LINES: Final = frozenset({".jsonl", ".ndjson"})
JSON: Final = frozenset({".json"})
SIZE_MAX: Final = 64_000_000


class PartnerDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file, or one line of JSON Lines; `source` is how people find it."""

    source: str
    path: Path
    data: bytes
    is_yaml: bool = False
    in_folder: bool = False


class UnusableFileError(RoamingError):
    """A file that is not there, cannot be read or is too large; `why` does not name it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.why = why


def documents_in(path: Path) -> Iterator[PartnerDocument]:
    """Yield the documents of a file, or of every file of a folder, without holding them all.

    Raises:
        UnusableFileError: If there is no such file, or it cannot be read.
    """
    if path.is_dir():
        known = YAML | LINES | JSON
        # Sorted: file systems list in orders of their own, and output must not depend on it.
        for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in known):
            yield from _of_file(file, in_folder=True)
    else:
        yield from _of_file(path, in_folder=False)


def _of_file(path: Path, *, in_folder: bool) -> Iterator[PartnerDocument]:
    suffix = path.suffix.lower()
    try:
        if suffix in LINES:
            yield from _lines(path, in_folder=in_folder)
            return
        if path.stat().st_size > SIZE_MAX:
            why = f"is larger than {SIZE_MAX:,} bytes; write it as JSON Lines (.jsonl)"
            raise UnusableFileError(path, why)
        data = path.read_bytes()
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        raise UnusableFileError(path, why) from error
    yield PartnerDocument(
        source=str(path), path=path, data=data, is_yaml=suffix in YAML, in_folder=in_folder
    )


def _lines(path: Path, *, in_folder: bool) -> Iterator[PartnerDocument]:
    name = str(path)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.isspace():
                source = f"{name}:{number}"
                yield PartnerDocument(source=source, path=path, data=line, in_folder=in_folder)

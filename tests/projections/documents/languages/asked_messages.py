"""What documents ask their languages for, found in the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.test_tidy import ROOT

ROOM: Final = ROOT / "projections" / "documents"
SAID_BY_NAME: Final = {
    "delivery/letter.py": "SUBJECTS",
    "electronic/tax_categories.py": "_EXEMPTIONS",
}
"""Files that look a message up in a table of their own, and what the table is called."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOM))


def literals(path: Path) -> Iterator[str | None]:
    """Yield each message that a file asks for by `text(...)`; None where it is no literal."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name == "text":
                said = node.args[0]
                yield str(said.value) if isinstance(said, ast.Constant) else None


def of_table(path: Path, name: str) -> Iterator[str]:
    """Yield the values of a file's table from anything to messages."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name:
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                assert isinstance(value, ast.Constant)
                yield str(value.value)


FILES: Final = sorted(ROOM.rglob("*.py"))
TABLES: Final = [(ROOM / file, table) for file, table in SAID_BY_NAME.items()]
ASKED: Final = {said for path in FILES for said in literals(path) if said is not None} | {
    said for path, table in TABLES for said in of_table(path, table)
}

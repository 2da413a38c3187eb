"""The English texts that a room of the console says, found in its templates and its code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import nodes

from projections.console.console_words import ROOT
from projections.console.environment import environment

_SAYING = {"t": (0,), "tile": (0,), "field": (1,), "choice": (1,)}
"""Which arguments of what a template calls are said."""
_SAYING_CODE = {"text": (0,), "Column": (1,), "ItemWords": (0, 1)}
"""Which arguments of what code calls are said."""


def texts_of_templates(room: str, **more: tuple[int, ...]) -> set[str]:
    """Return what the templates of a room say; *more* macros of their own by their arguments."""
    saying = {**_SAYING, **more}
    found: set[str] = set()
    for file in sorted((ROOT / room).glob("templates/*.j2")):
        parsed = environment().parse(file.read_text("utf-8"))
        for call in parsed.find_all(nodes.Call):
            name = getattr(call.node, "name", getattr(call.node, "attr", ""))
            for place in saying.get(name, ()):
                if place < len(call.args):
                    found |= _constants(call.args[place])
        for loop in parsed.find_all(nodes.For):
            found |= _constants(loop.iter)
    return found


def texts_of_code(room: str, **more: tuple[int, ...]) -> set[str]:
    """Return what the modules of a room say; *more* functions of their own by their arguments."""
    saying = {**_SAYING_CODE, **more}
    return {
        text for file in sorted((ROOT / room).glob("*.py")) for text in _of_module(file, saying)
    }


def titles_of_facts(room: str) -> set[str]:
    """Return the titles of what pages tell as facts: pairs of a text and a cell that is made."""
    found = set()
    for file in sorted((ROOT / room).glob("*.py")):
        for pair in ast.walk(ast.parse(file.read_text("utf-8"))):
            match pair:
                case ast.Tuple(elts=[ast.Constant(value=str(title)), ast.Call() as cell]) if (
                    "cell" in ast.unparse(cell).casefold()
                ):
                    found.add(title)
    return found


def _of_module(file: Path, saying: dict[str, tuple[int, ...]]) -> Iterator[str]:
    for call in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(call, ast.Call):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            for place in saying.get(name, ()):
                argument = call.args[place] if place < len(call.args) else None
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def _constants(node: nodes.Node) -> set[str]:
    found = [node] if isinstance(node, nodes.Const) else [*node.find_all(nodes.Const)]
    return {each.value for each in found if isinstance(each.value, str) and each.value}

"""YAML as plain values that remember where they stand, so that a problem can say its spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tariffs.files.yaml.reader import Mapping, Node, Scalar, Sequence, read_yaml
from tariffs.problems import Problem

Path = tuple[str | int, ...]
_NULLS: Final = {"", "~", "null"}


@dataclass(slots=True)
class YamlDocument:
    """The values of a file, every scalar a text; problems are noted by path."""

    source: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    _spots: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def report(self, path: Path, message: str) -> None:
        """Note a problem at *path*, or at the nearest thing above it that stands in the file."""
        while path and path not in self._spots:
            path = path[:-1]
        line, column = self._spots.get(path, (1, 1))
        self.problems.append(Problem(self.source, line, column, message))

    def take(self, node: Node, path: Path) -> Any:  # noqa: ANN401 - any YAML value
        """Return *node* as plain values and remember where each stands."""
        self._spots.setdefault(path, (node.line, node.column))
        match node:
            case Scalar():
                is_null = not node.is_quoted and node.text in _NULLS
                return None if is_null else node.text
            case Sequence():
                return [self.take(each, (*path, i)) for i, each in enumerate(node.items)]
            case Mapping():
                values = {}
                for name, (key, value) in node.entries.items():
                    self._spots[(*path, name)] = (key.line, key.column)
                    values[name] = self.take(value, (*path, name))
                return values


def read_document(text: str, source: str) -> YamlDocument:
    """Return the document of a file, with the problems of its YAML."""
    document = YamlDocument(source)
    root, document.problems = read_yaml(text, source)
    if root is not None:
        document.value = document.take(root, ())
    return document

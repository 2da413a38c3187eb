"""YAML as plain values that remember where they stand, so that a problem can say its place.

Every scalar stays text (the type that is wanted decides what it means): a country `NO` is no
`false`, a postal code keeps its zero, a decimal its digits. Aliases are refused: they are how 200
bytes become 2 million values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from tariffs.problems import Problem

Path = tuple[str | int, ...]
_NULLS = {"", "~", "null", "Null", "NULL"}
DEPTH_MAX = 20


@dataclass(slots=True)
class Document:
    """The values of a file; `place` knows line and column by path."""

    source: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    _places: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def report(self, path: Path, message: str) -> None:
        """Note a problem at *path*, or at the nearest thing above it that stands in the file."""
        while path and path not in self._places:
            path = path[:-1]
        line, column = self._places.get(path, (1, 1))
        self.problems.append(Problem(self.source, line, column, message))

    def read(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - any YAML value
        """Return *node* as plain values."""
        self._places.setdefault(path, _place(node.start_mark))
        if len(path) > DEPTH_MAX:
            self.report(path, "too deep")
            return None
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.read(each, (*path, i)) for i, each in enumerate(node.value)]
            case yaml.ScalarNode(style=None, value=value) if value in _NULLS:
                return None
            case _:
                return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(self.source, *place, "a name must be a plain text"))
                continue
            key = key_node.value
            if key in found:
                self.problems.append(Problem(self.source, *place, f"{key} stands here twice"))
                continue
            self._places[(*path, key)] = place
            found[key] = self.read(value_node, (*path, key))
        return found


def read_documents(text: str, source: str) -> list[Document]:
    """Return each document of a file; what cannot be read is a problem of the last one."""
    documents = []
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                problem = Problem(source, *_place(event.start_mark), "aliases are not allowed")
                return [Document(source, problems=[problem])]
        for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
            document = Document(source)
            document.value = document.read(node, ())
            documents.append(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(mark) if mark else (1, 1)
        message = " ".join(filter(None, (error.context, error.problem))) or "not YAML"
        documents.append(Document(source, problems=[Problem(source, *place, message)]))
    except yaml.YAMLError as error:
        documents.append(Document(source, problems=[Problem(source, 1, 1, str(error))]))
    return documents


def _place(mark: Any) -> tuple[int, int]:  # noqa: ANN401 - the C loader's marks have no class
    return mark.line + 1, mark.column + 1

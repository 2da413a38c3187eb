"""YAML as texts that know their spots: nothing guessed, nothing repeated, nothing unbounded.

YAML's own types are not used: `21:00` stays a text (not 1260), `NO` stays NO (not false), `0.10`
keeps its digits. Built from the C parser's events, so that aliases, tags and depth are refused
where they stand, before anything grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import yaml

from tariffs.problems import Problem

SIZE_MAX: Final = 4_000_000
DEPTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; `is_quoted` tells `"21"` from `21`. Line and column count from 1."""

    line: int
    column: int
    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the file's order; every key stands once."""

    line: int
    column: int
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def read_yaml(text: str, source: str) -> tuple[Node | None, list[Problem]]:
    """Read one YAML document.

    Returns:
        The root (None if it cannot be read at all) and every problem found.
    """
    if len(text) > SIZE_MAX:
        return None, [Problem(source, 1, 1, f"the file is larger than {SIZE_MAX:,} characters")]
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except _TooDeepError:
        return None, builder.problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        spot = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return None, [Problem(source, *spot, f"not YAML: {error.problem}")]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [Problem(source, line, 1, f"not YAML: {error.reason}")]
    if builder.root is None and not builder.problems:
        builder.problems.append(Problem(source, 1, 1, "the file is empty"))
    return builder.root, builder.problems


class _TooDeepError(Exception):
    """Stops the parser; the problem is already noted."""


class _Builder:
    """Makes the tree from the parser's events, without recursion."""

    def __init__(self, source: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._source = source
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add what *event* brings."""
        match event:
            case yaml.ScalarEvent():
                self._check(event)
                if "\0" in event.value:
                    self._complain(event, "it holds the character U+0000, which is no text")
                line, column = _spot(event)
                self._add(Scalar(line, column, event.value, bool(event.style)))
            case yaml.SequenceStartEvent():
                self._check(event)
                self._enter(Sequence(*_spot(event)))
            case yaml.MappingStartEvent():
                self._check(event)
                self._enter(Mapping(*_spot(event)))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()
                self._keys.pop()
            case yaml.AliasEvent():
                self._complain(event, "aliases (*name) are not allowed; write the value out")
                self._add(Scalar(*_spot(event), text=""))
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._complain(event, "only one document (---) a file")
            case _:
                pass

    def _check(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self._complain(event, "anchors (&name) are not allowed")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._complain(event, f"tags ({tag}) are not allowed")

    def _enter(self, node: Sequence | Mapping) -> None:
        if len(self._open) >= DEPTH_MAX:
            spot = node.line, node.column
            message = f"nested more than {DEPTH_MAX} levels deep"
            self.problems.append(Problem(self._source, *spot, message))
            raise _TooDeepError
        self._add(node)
        self._open.append(node)
        self._keys.append(None)

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node if self.root is None else self.root
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        else:
            self._add_to_mapping(parent, node)

    def _add_to_mapping(self, mapping: Mapping, node: Node) -> None:
        key = self._keys[-1]
        if key is None:
            if not isinstance(node, Scalar):
                message = "a key must be a plain word"
                self.problems.append(Problem(self._source, node.line, node.column, message))
                node = Scalar(node.line, node.column, "")
            self._keys[-1] = node
            return
        self._keys[-1] = None
        if key.text in mapping.entries:
            first = mapping.entries[key.text][0]
            message = f"{key.text!r} stands here again; it is already on line {first.line}"
            self.problems.append(Problem(self._source, key.line, key.column, message))
            return
        mapping.entries[key.text] = (key, node)

    def _complain(self, event: yaml.Event, message: str) -> None:
        self.problems.append(Problem(self._source, *_spot(event), message))


def _spot(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)

"""Typed fields out of a YAML tree; whatever is wrong is noted with its spot, never raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, TypeVar

from tariffs.files.yaml.reader import Mapping, Node, Scalar, Sequence
from tariffs.problems import Problem
from tariffs.quantities import BadNumberError, read_number

_T = TypeVar("_T")
_TIME: Final = re.compile(
    r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?", re.ASCII
)


class Notebook:
    """Collects the problems of one file; one that *is_alone* lies beside no other."""

    def __init__(self, source: str, problems: list[Problem], *, is_alone: bool = False) -> None:
        self.source, self.problems, self.is_alone = source, problems, is_alone

    def complain(self, node: Node, message: str) -> None:
        """Note that *message* is wrong at *node*."""
        self.problems.append(Problem(self.source, node.line, node.column, message))


class Fields:
    """The keys of one mapping, taken one by one; `finish` refuses those that nobody took.

    Every taker returns None when the key is absent, or is there and wrong (then noted).
    """

    def __init__(self, node: Node, notebook: Notebook, what: str) -> None:
        self.node, self.notebook, self.what = node, notebook, what
        self._taken: list[str] = []
        self._entries: dict[str, tuple[Scalar, Node]] = {}
        if isinstance(node, Mapping):
            self._entries = node.entries
        else:
            notebook.complain(node, f"{what} must be keys with values")

    def node_of(self, key: str, *, required: bool = False) -> Node | None:
        """Return the node at *key*."""
        self._taken.append(key)
        entry = self._entries.get(key)
        if entry is None:
            if required and isinstance(self.node, Mapping):
                self.notebook.complain(self.node, f"{self.what} needs {key!r}")
            return None
        return entry[1]

    def key_node(self, key: str) -> Node:
        """Return the spot of *key* itself (of the mapping, if it is absent)."""
        entry = self._entries.get(key)
        return self.node if entry is None else entry[0]

    def has(self, key: str) -> bool:
        """Tell whether *key* is there."""
        return key in self._entries

    def read(self, key: str, reader: Callable[[str], _T], *, required: bool = False) -> _T | None:
        """Return *reader* of the text at *key*; the reader raises ValueError with a sentence."""
        node = self.node_of(key, required=required)
        return None if node is None else read_scalar(node, reader, self.notebook, key)

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a text that is not empty."""
        return self.read(key, text_of, required=required)

    def choice(self, key: str, choices: Collection[str], *, required: bool = False) -> str | None:
        """Return one of *choices*."""
        return self.read(key, lambda text: choice_of(text, choices), required=required)

    def number(self, key: str, *, required: bool = False) -> Decimal | None:
        """Return an exact number that is not negative."""
        return self.read(key, amount_of, required=required)

    def whole(self, key: str, *, required: bool = False) -> int | None:
        """Return a whole number that is not negative."""
        return self.read(key, whole_of, required=required)

    def flag(self, key: str) -> bool | None:
        """Return yes or no."""
        return self.read(key, flag_of)

    def moment(self, key: str, *, required: bool = False) -> datetime | None:
        """Return a moment with its offset, in UTC."""
        return self.read(key, moment_of_text, required=required)

    def items(self, key: str, *, required: bool = False) -> list[Node]:
        """Return the nodes of a list; a single value counts as a list of one."""
        node = self.node_of(key, required=required)
        match node:
            case None:
                return []
            case Sequence(items=items):
                return items
            case Scalar() | Mapping():
                return [node]

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        read = (read_scalar(node, text_of, self.notebook, key) for node in self.items(key))
        return tuple(text for text in read if text is not None)

    def finish(self) -> None:
        """Complain about every key that was not taken, with a suggestion."""
        for key, (node, _) in self._entries.items():
            if key not in self._taken:
                near = get_close_matches(key, self._taken, n=1, cutoff=0.6)
                hint = f"; did you mean {near[0]!r}?" if near else f"; {self._known()}"
                self.notebook.complain(node, f"{self.what} has no key {key!r}{hint}")

    def _known(self) -> str:
        return "it has " + ", ".join(sorted(set(self._taken)))


def read_scalar(
    node: Node, reader: Callable[[str], _T], notebook: Notebook, what: str
) -> _T | None:
    """Return *reader* of a scalar's text; a ValueError's sentence is noted at its spot."""
    if not isinstance(node, Scalar):
        notebook.complain(node, f"{what!r} must be a single value")
        return None
    try:
        return reader(node.text)
    except ValueError as error:
        notebook.complain(node, f"{what!r}: {error}")
        return None


def text_of(text: str) -> str:
    """Return *text*, which must not be empty."""
    if not text.strip():
        message = "has no value"
        raise ValueError(message)
    return text


def signed_of(text: str) -> Decimal:
    """Read an exact number, which may be negative."""
    try:
        return read_number(text.strip())
    except BadNumberError as error:
        raise ValueError(str(error)) from None


def amount_of(text: str) -> Decimal:
    """Read an exact number that is not negative."""
    number = signed_of(text)
    if number < 0:
        message = f"{text} is negative"
        raise ValueError(message)
    return number


def whole_of(text: str) -> int:
    """Read a whole number that is not negative."""
    number = amount_of(text)
    if number != number.to_integral_value():
        message = f"{text} is not a whole number"
        raise ValueError(message)
    return int(number)


def flag_of(text: str) -> bool:
    """Read yes, no, true or false."""
    flags = {"yes": True, "true": True, "no": False, "false": False}
    if text.lower() not in flags:
        message = f"{text!r} is neither yes nor no"
        raise ValueError(message)
    return flags[text.lower()]


def choice_of(text: str, choices: Collection[str]) -> str:
    """Return the one of *choices* that *text* is."""
    if text in choices:
        return text
    near = get_close_matches(text, choices, n=1)
    hint = f"did you mean {str(near[0])!r}?" if near else f"it may be {', '.join(sorted(choices))}"
    message = f"{text!r} is not known; {hint}"
    raise ValueError(message)


def time_of(text: str) -> time:
    """Read a local time, 21:00 or 21:00:30; 24:00 is the end of the day, as 00:00 is."""
    match = _TIME.fullmatch("00:00" if text in {"24:00", "24:00:00"} else text)
    if match is None:
        # 8:00 wants a zero, and whatever else is wrong an example.
        meant = f"0{text}" if _TIME.fullmatch(f"0{text}") else "21:00"
        message = f"{text!r} is not a time; write it as {meant}"
        raise ValueError(message)
    return time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))


def date_of(text: str) -> date:
    """Read a date, 2026-03-29."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date; write it as 2026-03-29"
        raise ValueError(message) from None


def moment_of_text(text: str) -> datetime:
    """Read a moment with its offset, 2026-03-29T00:00:00+01:00, as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a moment; write it as 2026-03-29T00:00:00+01:00"
        raise ValueError(message) from None
    if moment.tzinfo is None:
        message = f"{text!r} needs its offset from UTC, as in 2026-03-29T00:00:00+01:00 or ...Z"
        raise ValueError(message)
    return in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """Return an aware *moment* in UTC.

    Raises:
        ValueError: If it lies beyond the calendar there.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = f"{moment.isoformat()} lies beyond the calendar in UTC"
        raise ValueError(message) from None

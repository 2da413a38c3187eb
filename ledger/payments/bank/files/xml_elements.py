"""XML from outside as plain elements: no document type, no entities of its own, nothing fetched.

expat does no input or output of its own. A document type is refused as it opens, so no entity is
ever declared; depth, elements, names, tags and texts are bounded, and elements of a repeated kind
are handed on and forgotten one by one, so that a file of any length takes the memory of one of
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final
from xml.parsers import expat

from ledger.payments.bank.files.statement import UnreadableStatementError

BYTES_MAX: Final = 1 << 30
DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 4_000_000
"""Kept at once: of one entry, and of what stands around entries."""
NAMES_MAX: Final = 2_000
"""Of elements and attributes together: expat forgets none. ISO 20022 has some hundreds."""
TAG_MAX: Final = 1 << 20
"""Bytes of a tag, comment or instruction that does not end: expat reads it anew with each piece."""
_CHUNK: Final = 1 << 20
_TEXT_MAX: Final = 100_000
_SEPARATOR: Final = " "
_NONE: Final[dict[str, str]] = {}


class XmlElement:
    """An element by its local name: text, children, attributes."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes, self.text = name, attributes or _NONE, ""
        self.children: list[XmlElement] = []

    def first(self, *path: str) -> XmlElement | None:
        """Return the first element down *path*, None where a step is missing."""
        found: XmlElement | None = self
        for name in path:
            if found is None:
                return None
            found = next((each for each in found.children if each.name == name), None)
        return found

    def all(self, *path: str) -> Iterator[XmlElement]:
        """Yield every element down *path*, whichever way leads there."""
        if not path:
            yield self
            return
        for each in self.children:
            if each.name == path[0]:
                yield from each.all(*path[1:])

    def said(self, *path: str) -> str:
        """Return the text of the first element down *path*, without blanks around; "" for none."""
        found = self.first(*path)
        return "" if found is None else found.text.strip()


class _Reader:
    """Builds elements as expat tells of them, and hands those at the end of *path* to *take*."""

    def __init__(
        self, path: tuple[str, ...], take: Callable[[XmlElement, XmlElement], None], source: str
    ) -> None:
        self.root: XmlElement | None = None
        self.namespace = ""
        self._depth, self._repeated = len(path) - 1, path[-1]
        self._take, self._source = take, source
        self._open: list[XmlElement] = []
        self._names: dict[str, str] = {}
        self._kept = self._before = 0
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_document_type
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    @property
    def spot(self) -> str:
        """Where it reads, as errors say it."""
        return f"{self._source}:{self.parser.CurrentLineNumber}"

    def _refuse_document_type(self, *_: object) -> None:
        why = "a document type (DOCTYPE) is refused: a bank's statement has none"
        raise UnreadableStatementError(self.spot, why)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = XmlElement(self._local(name), attributes)
        for each in attributes:
            self._local(each)
        if self._open:
            if len(self._open) >= DEPTH_MAX:
                raise UnreadableStatementError(
                    self.spot, f"elements lie more than {DEPTH_MAX} deep"
                )
            if len(self._open) == self._depth:
                self._before = self._kept
            self._kept += 1
            if self._kept > ELEMENTS_MAX:
                raise UnreadableStatementError(self.spot, "there are too many elements in it")
            self._open[-1].children.append(element)
        else:
            self.root, self.namespace = element, name.rpartition(_SEPARATOR)[0]
        self._open.append(element)

    def _local(self, name: str) -> str:
        local = self._names.get(name)
        if local is None:
            if len(self._names) >= NAMES_MAX:
                why = f"there are more than {NAMES_MAX} names of elements and attributes in it"
                raise UnreadableStatementError(self.spot, why)
            local = self._names.setdefault(name, name.rpartition(_SEPARATOR)[2])
        return local

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if len(self._open) == self._depth and element.name == self._repeated:
            self._open[-1].children.pop()
            self._kept = self._before
            self._take(self._open[-1], element)

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if element.children:
            return  # blanks between elements
        if len(element.text) + len(text) > _TEXT_MAX:
            why = f"a text has more than {_TEXT_MAX} characters"
            raise UnreadableStatementError(self.spot, why)
        element.text += text


def read_elements(
    file: BinaryIO,
    source: str,
    path: tuple[str, ...],
    take: Callable[[XmlElement, XmlElement], None],
) -> tuple[XmlElement, str]:
    """Return the root of *file*, and its namespace.

    Args:
        file: What to read, to its end.
        source: What errors call it.
        path: Elements so deep, of its last name, go to *take* as they close, and are not kept;
            the names before it are any.
        take: Gets the element that it stands in, as far as that was read, and the element.

    Raises:
        UnreadableStatementError: If it is no XML, has a document type, or is out of all bounds.
    """
    reader = _Reader(path, take, source)
    size = 0
    try:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > BYTES_MAX:
                why = f"it has more than {BYTES_MAX >> 20} MiB: split it"
                raise UnreadableStatementError(reader.spot, why)
            reader.parser.Parse(chunk, False)
            if size - max(reader.parser.CurrentByteIndex, 0) > TAG_MAX:
                why = f"a tag or comment has more than {TAG_MAX >> 20} MiB"
                raise UnreadableStatementError(reader.spot, why)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        why = f"no XML: {expat.ErrorString(error.code)}"
        raise UnreadableStatementError(reader.spot, why) from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise UnreadableStatementError(reader.spot, "no XML: it cannot be decoded") from error
    if reader.root is None:
        raise UnreadableStatementError(reader.spot, "there is nothing in it")
    return reader.root, reader.namespace

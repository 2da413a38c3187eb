"""What a picture costs whoever draws it: a few hundred bytes can ask for more than there is.

A PNG may claim any size, an SVG repeat itself in itself (`use`, patterns, masks, clip paths), lie
as deep as it likes, compute pictures (filters) or draw something at each point (markers).
Source: ISO/IEC 15948, 11.2.2 (IHDR); SVG 1.1, 5.6, 11.6, 13.3, 14 and 15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

PIXELS_MAX: Final = 10_000_000
DRAWN_MAX: Final = 5_000
"""Elements that are drawn, each as often as something refers to it."""
DEPTH_MAX: Final = 50
_HOPS_MAX: Final = 8
LETTERS_MAX: Final = 2_000
_WIDTH, _HEIGHT = slice(16, 20), slice(20, 24)
_COSTLY: Final = frozenset({"filter", "marker"})
_GRADIENTS: Final = frozenset({"lineargradient", "radialgradient"})
"""They are made once, whatever refers to them."""
_REFERS: Final = re.compile(r"url\(\s*['\"]?\s*#([^'\")\s]+)")
_COMPUTES: Final = re.compile(r"(?<![-\w])(?:-\w+-)?filter\s*:\s*(?!none\b)", re.IGNORECASE)
_RULE: Final = re.compile(r"([^{}]*)\{([^{}]*)\}")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_CLASS: Final = re.compile(r"\.([-\w]+)")


def png_fault(picture: bytes) -> str | None:
    """Return why a PNG is too large to be drawn, None if it is not."""
    pixels = int.from_bytes(picture[_WIDTH]) * int.from_bytes(picture[_HEIGHT])
    return None if pixels <= PIXELS_MAX else f"the picture has more than {PIXELS_MAX} pixels"


@dataclass(eq=False, slots=True)
class _Element:
    name: str
    refers: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    parts: list[_Element] = field(default_factory=list)
    drawn: int | None = None


class SvgCost:
    """Adds up what an SVG asks for, told element by element."""

    def __init__(self) -> None:
        self._open = [_Element("")]
        self._by_id: dict[str, _Element] = {}
        self._styles: list[str] = []
        self._letters = 0

    def begin(self, name: str, attributes: Iterable[tuple[str, str]]) -> str | None:
        """Take an element; return what is wrong with it."""
        if name in _COSTLY:
            return f"the picture has a {name}"
        if len(self._open) > DEPTH_MAX:
            return f"the picture has more than {DEPTH_MAX} elements within each other"
        found = _Element(name)
        for attribute, value in attributes:
            if _COMPUTES.search(f"{attribute}:{value}" if attribute == "filter" else value):
                return "the picture has a filter"
            found.refers += _REFERS.findall(value)
            if attribute == "href" and name != "a":
                found.refers.append(value.strip().removeprefix("#"))
            elif attribute == "class":
                found.classes += value.split()
            elif attribute == "id":
                self._by_id.setdefault(value, found)
        self._open[-1].parts.append(found)
        self._open.append(found)
        return None

    def end(self) -> None:
        """Take the end of the last element."""
        self._open.pop()

    def text(self, content: str) -> str | None:
        """Take a text; return what is wrong with it."""
        if self._open[-1].name == "style":
            self._styles.append(content)
        elif any(each.name == "text" for each in self._open):
            self._letters += len(content.strip())
            if self._letters > LETTERS_MAX:
                return f"the picture has more than {LETTERS_MAX} letters"
        return None

    def fault(self) -> str | None:
        """Return why all of it is too much, None if it is not."""
        css = _COMMENT.sub("", "".join(self._styles))
        if _COMPUTES.search(css):
            return "the picture has a filter"
        of_class = dict[str, list[str]]()
        for selectors, said in _RULE.findall(css):
            refers = [each for each in _REFERS.findall(said) if not self._is_gradient(each)]
            for selector in selectors.split(",") if refers else ():
                named = _CLASS.fullmatch(selector.strip())
                if named is None:
                    return "the style sheet of the picture refers to something but for a class"
                of_class.setdefault(named[1], []).extend(refers)
        too_much = f"the picture draws more than {DRAWN_MAX} elements"
        return too_much if self._drawn(self._open[0], of_class, 0) > DRAWN_MAX else None

    def _is_gradient(self, name: str) -> bool:
        return name in self._by_id and self._by_id[name].name in _GRADIENTS

    def _drawn(self, element: _Element, of_class: Mapping[str, list[str]], hops: int) -> int:
        """Return how many elements are drawn for one; more than the most for what has no end."""
        if element.drawn is not None:
            return element.drawn
        element.drawn, drawn = DRAWN_MAX + 1, 1  # until it is known: it may refer to itself
        for part in element.parts:
            drawn += self._drawn(part, of_class, hops)
        for name in self._referred(element, of_class):
            target = self._by_id[name]
            drawn += DRAWN_MAX + 1 if hops == _HOPS_MAX else self._drawn(target, of_class, hops + 1)
        element.drawn = min(drawn, DRAWN_MAX + 1)
        return element.drawn

    def _referred(self, element: _Element, of_class: Mapping[str, list[str]]) -> Iterable[str]:
        named = [*element.refers]
        for each in element.classes:
            named += of_class.get(each, ())
        return [each for each in named if each in self._by_id and not self._is_gradient(each)]

"""The operations, as methods: one for each that the document describes."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deploy.api.client_source.shapes import MADE, WIDTH, prose
from deploy.api.client_source.types import Schema, reference_of, type_of

EVENTS: Final = "text/event-stream"
_JSON: Final = "application/json"
_SHAPE: Final = re.compile(r"\b[A-Z]\w+\b")
_PLAIN: Final = frozenset({"Any", "None", "Literal"})
_HEAD: Final = f'''"""Every operation as a method. {MADE}"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Literal

from wattledger_client.calling import Calling, place
'''
_CLASS: Final = '''

class Operations:
    """What the interface does; `Client` asks it."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling
'''


class _Argument(NamedTuple):
    """What a caller gives: its name in Python and in the request, where it goes, what it is."""

    name: str
    called: str
    goes: str
    kind: str
    is_needed: bool


class _Answer(NamedTuple):
    """What comes back, and whether as events."""

    kind: str
    is_events: bool = False


def operations_source(paths: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the module of all operations of *paths*, by their names."""
    methods = {
        operation["operationId"]: "\n".join(["", *_method(verb.upper(), path, operation), ""])
        for path, item in paths.items()
        for verb, operation in item.items()
    }
    body = "".join(text for _, text in sorted(methods.items()))
    names = sorted(set(_SHAPE.findall("\n".join(_annotations(paths)))) - _PLAIN)
    imported = "".join(f"    {name},\n" for name in names)
    return f"{_HEAD}from wattledger_client.shapes import (\n{imported})\n{_CLASS}{body}"


def _annotations(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for item in paths.values():
        for operation in item.values():
            yield from (each.kind for each in _arguments(operation))
            yield _answer(operation).kind


def _method(verb: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    arguments, answer = _arguments(operation), _answer(operation)
    needed = [f"{each.name}: {each.kind}" for each in arguments if each.is_needed]
    free = [f"{each.name}: {_free(each.kind)} = None" for each in arguments if not each.is_needed]
    given = ["self", *needed, *(["*", *free] if free else [])]
    kind = f"Iterator[{answer.kind}]" if answer.is_events else answer.kind
    one = f"    def {operation['operationId']}({', '.join(given)}) -> {kind}:"
    if len(one) <= WIDTH:
        yield one
    else:
        yield f"    def {operation['operationId']}("
        yield from (f"        {each}," for each in given)
        yield f"    ) -> {kind}:"
    said = operation.get("description") or operation.get("summary") or operation["operationId"]
    yield from prose(said, " " * 8)
    yield from _call(verb, path, arguments, answer)


def _call(verb: str, path: str, arguments: Sequence[_Argument], answer: _Answer) -> Iterator[str]:
    places = {each.called: each.name for each in arguments if each.goes == "path"}
    address = re.sub(r"\{(\w+)\}", lambda found: f"{{place({places[found[1]]})}}", path)
    text = f'f"{address}"' if places else f'"{address}"'
    if answer.is_events:
        yield f"        return self._calling.follow({text}, {answer.kind})"
        return
    yield "        return self._calling.ask("
    yield f'            "{verb}",'
    yield f"            {text},"
    yield f"            {answer.kind},"
    for goes, name in (("query", "query"), ("header", "headers")):
        some = [f'"{each.called}": {each.name}' for each in arguments if each.goes == goes]
        if some:
            yield f"            {name}={{{', '.join(some)}}},"
    if any(each.goes == "body" for each in arguments):
        yield "            body=body,"
    yield "        )"


def _arguments(operation: Mapping[str, Any]) -> list[_Argument]:
    found = [
        _Argument(
            _python(each["name"]),
            each["name"],
            each["in"],
            type_of(each.get("schema", {})),
            bool(each.get("required")),
        )
        for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    if body is not None:
        found.append(_Argument("body", "body", "body", type_of(body["schema"]), is_needed=True))
    return sorted(found, key=lambda each: (each.goes != "path", each.goes != "body"))


def _answer(operation: Mapping[str, Any]) -> _Answer:
    for status, said in operation["responses"].items():
        if not status.startswith("2"):
            continue
        for media_type, media in said.get("content", {}).items():
            schema: Schema = media.get("schema", {})
            if media_type == EVENTS:
                return _Answer(reference_of(schema) or "Any", is_events=True)
            if media_type == _JSON:
                return _Answer(type_of(schema))
            return _Answer("str" if media_type.endswith("yaml") else "bytes")
    return _Answer("bytes")


def _python(name: str) -> str:
    word = name.replace("-", "_").lower()
    return f"{word}_" if keyword.iskeyword(word) or hasattr(builtins, word) else word


def _free(kind: str) -> str:
    return kind if "None" in kind.split(" | ") else f"{kind} | None"

"""What of a partner's JSON is not kept, whatever it says: no number, no text, no end."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tariffs.ocpi.documents import OcpiError, RepeatedKeys
from tariffs.quantities import is_sane

DEPTH_MAX: Final = 20
NODES_MAX: Final = 200_000
TEXT_MAX: Final = 100_000
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def check_tree(value: object) -> None:
    """Refuse JSON that could not be written again, or that only wears readers out.

    Raises:
        OcpiError: If it is deeper than DEPTH_MAX, has more than NODES_MAX values, a number that is
            none to reckon with, NUL or too much in a text, or says a field twice.
    """
    if _is_fit(value):
        return
    waiting: list[tuple[object, str, int]] = [(value, "", 0)]
    seen = 0
    while waiting:
        one, spot, depth = waiting.pop()
        seen += 1
        if depth > DEPTH_MAX:
            raise OcpiError(spot, f"nested deeper than {DEPTH_MAX}")
        _check_one(one, spot)
        if isinstance(one, dict):
            waiting.extend((each, f"{spot}.{key[:40]}", depth + 1) for key, each in one.items())
        elif isinstance(one, list):
            waiting.extend((each, spot, depth + 1) for each in one)
        if seen + len(waiting) > NODES_MAX:
            raise OcpiError(spot, f"more than {NODES_MAX:,} values")


def encoded(value: object) -> bytes:
    """Return a checked tree as JSON with exact numbers."""
    return _ENCODER.encode(value)


def _is_fit(value: object) -> bool:
    """Whether a tree is surely fit, as most are; of others `check_tree` says what is wrong."""
    level, texts, seen = [value], list[str](), 0
    for _ in range(DEPTH_MAX + 1):
        seen += len(level)
        if not level or seen > NODES_MAX:
            break
        below: list[object] = []
        for one in level:
            match one:
                case str():
                    texts.append(one)
                case dict() if type(one) is dict:
                    texts += one
                    below += one.values()
                case list():
                    below += one
                case int() | Decimal():
                    if not is_sane(Decimal(one)):
                        return False
                case None:
                    pass
                case _:
                    return False
        level = below
    # One text of all is looked through soonest.
    text = "".join(texts)
    return not level and len(text) <= TEXT_MAX and "\0" not in text


def _check_one(one: object, spot: str) -> None:
    match one:
        case RepeatedKeys():
            raise OcpiError(spot, f"says {one.repeated[0][:40]!a} twice")
        case dict():
            for key in one:
                _check_text(key, spot)
        case str():
            _check_text(one, spot)
        case int() | Decimal():
            if not is_sane(Decimal(one)):
                raise OcpiError(spot, "is not a finite number of reasonable size")
        case _:  # null, true and false; and a list, whose items come by themselves
            pass


def _check_text(text: str, spot: str) -> None:
    if len(text) > TEXT_MAX:
        raise OcpiError(spot, f"has more than {TEXT_MAX:,} characters")
    if "\0" in text:
        raise OcpiError(spot, "has a NUL, which no text needs")

"""Texts of master data: what reads as nothing, or as more than one line, is in none of them.

They stand in statements, subjects of mails, tables, remarks of CDRs and logs: a line feed there
would begin a line that nobody declared, and a control of direction would show another order. Of
what partners tell us nothing is refused for that: it is shown `printable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ledger.declared.declarations import Entity
from ledger.master_data.tariff_versions import TariffVersion
from tariffs.phrases.printable import printable

_OF_LINES: Final = frozenset({"legal_text"})
"""What has lines of its own, as documents print them."""
_BY_RULES: Final = frozenset({"cost_centre", "receipt_url"})
"""What has a rule of its own that says it."""


def text_problems(entity: Entity) -> Iterator[str]:
    """Yield which texts of *entity* cannot stand on a line; a tariff's are its files' matter."""
    if not isinstance(entity, TariffVersion):
        yield from _problems(entity, "")


def _problems(value: object, spot: str) -> Iterator[str]:
    match value:
        case str():
            if not (value.isascii() and value.isprintable()):
                yield from _of_text(value, spot)
        case msgspec.Struct():
            for name in value.__struct_fields__:
                said = getattr(value, name)
                if said is not None and name not in _BY_RULES:
                    yield from _problems(said, f"{spot}.{name}" if spot else name)
        case Mapping():
            for key, each in value.items():
                yield from _problems(key, f"a name in {spot}")
                yield from _problems(each, f"{spot}.{printable(str(key))}")
        case tuple() | list():
            for each in value:
                yield from _problems(each, spot)
        case _:
            pass


def _of_text(text: str, spot: str) -> Iterator[str]:
    lines = text.split("\n") if spot in _OF_LINES else [text]
    for line in lines:
        odd = next((each for each in line if printable(each) != each), None)
        if odd is not None:
            yield (
                f"{spot} has {printable(odd)} (U+{ord(odd):04X}): it is one line of text, "
                "without controls of lines, terminals or direction"
            )
            return

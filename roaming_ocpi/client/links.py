"""The header Link: where the next page of a list is, however it is spelt.

Source: OCPI 2.2.1, 4.1.4.1, paginated response; RFC 8288.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_TARGET: Final = re.compile(r"<\s*([^<>]*?)\s*>([^<]*)")
_BARE: Final = re.compile(r"\s*([^\s;<>]+)\s*(;.*)")
_RELATION: Final = re.compile(
    r"""\brel\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"',;]+))""", re.IGNORECASE
)


def next_target(headers: Iterable[str]) -> str | None:
    """Return what the Link *headers* of an answer say of the next page, None where nothing does."""
    for header in headers:
        found = list(_TARGET.finditer(header))
        for match in found or filter(None, [_BARE.fullmatch(header)]):
            relation = _RELATION.search(match[2])
            said = next(filter(None, relation.groups()), "") if relation else ""
            if match[1] and "next" in said.lower().split():
                return match[1]
    return None

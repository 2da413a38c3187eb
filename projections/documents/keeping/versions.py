"""What documents are rendered with: the same bytes come out while none of it changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from projections.documents.electronic.official.official_files import versions_of_rules
from projections.documents.languages.language import versions as versions_of_languages
from projections.documents.pages.typesetting import versions as versions_of_pages
from tariffs.kernel.priced import KERNEL_VERSION
from tariffs.zones import TZDATA_VERSION


@cache
def renderer() -> str:
    """Return each part with its version or hash, as JSON in a fixed order.

    Raises:
        ValidatorMissingError: If the official rules are not there.
    """
    rules = {f"rules/{name}": of_it for name, of_it in versions_of_rules().items()}
    parts = {"kernel": KERNEL_VERSION, "tzdata": TZDATA_VERSION}
    whole = parts | versions_of_languages() | versions_of_pages() | rules
    return msgspec.json.encode(whole, order="sorted").decode()


def differing(then: str, now: str) -> Mapping[str, tuple[str, str]]:
    """Return which parts of two renderers differ, each as it was and as it is; "-": not there."""
    before, after = (msgspec.json.decode(each, type=dict[str, str]) for each in (then, now))
    return {
        name: (before.get(name, "-"), after.get(name, "-"))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }

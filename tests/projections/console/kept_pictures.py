"""Pictures of the twelve screens, which tests of pages keep where `WATTLEDGER_SCREENSHOTS` says.

    python -m tests.projections.console.kept_pictures FOLDER

says which of them are missing, and is no success then.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

LOOKS: Final = ("light", "dark", "narrow")
"""Both themes, and 360 px."""
PICTURES: Final[Mapping[str, Sequence[str]]] = {
    "Fleet now": ["fleet"],
    "Work list": ["work"],
    "Invoices": ["invoices"],
    "Invoice and line": ["invoice", "invoice-line"],
    "Customer": ["customer"],
    "Month close": ["month"],
    "Integrity": ["integrity"],
    "Session": ["session", "decide"],
    "Tariffs": ["tariffs"],
    "Tariff": ["tariff", "change"],
    "What if": ["what-if-an-answer"],
    "Access": ["access-people"],
}
"""Of each screen the pages that have one, by the names that `assert_is_fit` is given."""


def missing_pictures(folder: Path) -> list[str]:
    """Return which pictures are not in *folder*, or have nothing in them."""
    wanted = [
        f"{name}-{look}.png" for names in PICTURES.values() for name in names for look in LOOKS
    ]
    kept = {each.name for each in folder.glob("*.png") if each.stat().st_size}
    return [each for each in wanted if each not in kept]


if __name__ == "__main__":
    missing = missing_pictures(Path(sys.argv[1]))
    if missing:
        sys.exit(f"no test of a page kept {', '.join(missing)}")

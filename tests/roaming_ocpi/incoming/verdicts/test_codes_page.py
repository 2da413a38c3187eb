"""The page for partner managers names each code with the verdict that it comes to."""

from __future__ import annotations

import re
from pathlib import Path

from roaming_ocpi.incoming.verdicts.english import SENTENCES
from roaming_ocpi.incoming.verdicts.verdict import verdict_of
from tariffs.phrases.phrase import Phrase

PAGE = Path(__file__).parents[4] / "docs" / "received-cdrs.md"


def test_the_page_has_each_code_and_its_verdict() -> None:
    rows = re.findall(r"^\| `(cdr_\w+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert dict(rows) == {code: verdict_of([Phrase(code)]) for code in SENTENCES}

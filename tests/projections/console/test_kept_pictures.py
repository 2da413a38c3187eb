"""Each of the twelve screens has pictures, and what CI asks of them is what tests keep."""

from __future__ import annotations

import re
from pathlib import Path

from projections.console.navigation import SCREENS
from tests.projections.console.browser import picture_name
from tests.projections.console.kept_pictures import LOOKS, PICTURES, missing_pictures

HERE = Path(__file__).parent
QUOTED = re.compile(r'"([^"\n]*)"')


def test_each_screen_has_a_picture_that_a_test_keeps() -> None:
    texts = [file.read_text("utf-8") for file in sorted(HERE.rglob("test_*.py"))]
    said = {
        picture_name(name)
        for text in texts
        if "assert_is_fit" in text
        for quoted in QUOTED.findall(text)
        # A name may go on with a part of the address: the first page has none.
        for name in (quoted, quoted.partition("{")[0])
    }

    assert len(PICTURES) == 12
    # All screens of the navigation, and three that are pages of one of them.
    assert len(PICTURES) >= len(SCREENS)
    assert [each for names in PICTURES.values() for each in names if each not in said] == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for name in (each for names in PICTURES.values() for each in names):
        for look in LOOKS:
            (tmp_path / f"{name}-{look}.png").write_bytes(b"\x89PNG")
    whole = missing_pictures(tmp_path)
    (tmp_path / "invoice-dark.png").unlink()
    (tmp_path / "work-narrow.png").write_bytes(b"")

    assert whole == []
    assert missing_pictures(tmp_path) == ["work-narrow.png", "invoice-dark.png"]

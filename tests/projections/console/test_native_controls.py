"""Whatever a page does is done by a link or a field of HTML's own, so a keyboard comes to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parents[3] / "projections" / "console"
TEMPLATES = sorted(CONSOLE.rglob("*.j2"))
CONTROLS = {"a", "button", "form", "input", "select", "summary", "textarea"}
_TAG = re.compile(r"<([a-z][a-z0-9]*)((?:\{[{%].*?[%}]\}|\"[^\"]*\"|[^>\"])*)>", re.DOTALL)
_ASKS = re.compile(r"\bhx-(?:get|post|put|patch|delete)=")
_BY_ITSELF = 'hx-trigger="every '
_NOT_NATIVE = re.compile(r"\bon[a-z]+=|role=\"(?:button|link|checkbox|tab|menuitem)\"|accesskey=")
_TABINDEX = re.compile(r"tabindex=\"([^\"]*)\"")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(CONSOLE)))
def test_a_keyboard_comes_to_all_that_a_page_does(template: Path) -> None:
    for name, attributes in _TAG.findall(template.read_text()):
        where = f"<{name}{attributes}>"
        if _ASKS.search(attributes):
            assert name in CONTROLS or _BY_ITSELF in attributes, where
        assert not _NOT_NATIVE.search(attributes), where
        for order in _TABINDEX.findall(attributes):
            # What scrolls can be come to; the content can be gone to; nothing jumps the order.
            assert (name, order) in {("div", "0"), ("main", "-1")}, where
        assert name != "a" or "href=" in attributes, where


def test_the_templates_are_looked_at() -> None:
    assert len(TEMPLATES) > 40
    assert sum(bool(_ASKS.search(path.read_text())) for path in TEMPLATES) >= 5

"""The page on pricing names what there is, and nothing else."""

from __future__ import annotations

import re

from tariffs.files.adjustments import KINDS
from tariffs.files.examples import failing_examples
from tariffs.files.tariff_file import read_tariff_file
from tariffs.model.policy import POLICIES
from tests.tree import DOCS

PAGE = (DOCS / "pricing.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def named_first(text: str) -> set[str]:
    """Return the words in the first column of the table in *text*."""
    rows = re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([\w.-]+)", row)}


def test_the_page_names_every_adjustment() -> None:
    assert KINDS.keys() <= named_first(section("3."))


def test_the_page_names_every_policy_and_no_other() -> None:
    assert named_first(section("6.")) == POLICIES.keys()


def test_the_page_names_the_notes() -> None:
    assert "`reverse_charge`" in PAGE
    assert "`unknown_holidays`" in PAGE


def test_the_example_on_the_page_is_read_and_checked() -> None:
    example = section("Examples in the file").split("```yaml\n")[1].split("```")[0]
    text = f"tariff: t\ncurrency: EUR\ntax_included: NO\nelements: [{{flat: 12.40}}]\n{example}"
    tariff, problems = read_tariff_file(text, "t.yaml")
    assert tariff is not None, problems

    (failing,) = failing_examples(tariff, text, "t.yaml")

    assert "costs 12.40 EUR in total, not 12.50 EUR" in failing.message

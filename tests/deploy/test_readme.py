"""The README is true: its commands exist, its settings are the code's, its files are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.settings import settings_table
from tests.tree import ROOT

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def commands() -> list[str]:
    """The commands named in the README, down to the last word that is no argument."""
    found = re.findall(r"\bwattledger((?: [a-z][a-z-]*\b(?![./]))+)", README)
    return sorted({words.strip() for words in found})


@pytest.mark.parametrize("command", commands())
def test_each_command_of_the_readme_has_a_help(command: str) -> None:
    program = "from deploy.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stderr
    assert f"Usage: wattledger {command}" in done.stdout


def test_the_readme_names_commands() -> None:
    assert {"apply", "invoice show", "tariff publish"} <= set(commands())


def test_the_settings_table_is_the_codes() -> None:
    table = (ROOT / "docs" / "settings.md").read_text("utf-8")

    assert settings_table().strip() in table


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_each_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where it is shown."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_somewhere(page: Path, link: str) -> bool:
    """Say whether a link of a page leads to a file, and to a heading where it names one."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in headings(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8"))

    assert [link for link in links if not leads_somewhere(page, link)] == []


def test_a_link_to_no_file_or_to_no_heading_is_found() -> None:
    page = ROOT / "README.md"

    assert leads_somewhere(page, "docs/api.md#with-a-conformance-tool")
    assert not leads_somewhere(page, "docs/api.md#with-none")
    assert not leads_somewhere(page, "docs/none.md")


def test_the_pages_keep_their_length() -> None:
    assert len(README.splitlines()) <= 120
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) <= 200

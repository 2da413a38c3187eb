"""The README is true: its commands exist, its settings are the code's, its files are there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from deploy.settings import settings_table
from tests.tree import ROOT

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


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_each_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_pages_keep_their_length() -> None:
    assert len(README.splitlines()) <= 120
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) <= 200

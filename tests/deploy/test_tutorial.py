"""The tutorial works, followed word for word."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

TUTORIAL = (ROOT / "docs" / "tutorial-tariff.md").read_text("utf-8")
BLOCK = re.compile(r"^```(?:(sh)|yaml file=(\S+)( append)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WATTLEDGER = (sys.executable, "-c", "from deploy.cli import main; main()")


def follow(folder: Path) -> list[str]:
    """Do in *folder* what each block says; return what was printed, command by command."""
    printed = []
    for is_shell, name, append, text in BLOCK.findall(TUTORIAL):
        if not is_shell:
            with (folder / name).open("a" if append else "w", encoding="utf-8") as file:
                file.write(("\n" if append else "") + text)
            continue
        for command in text.splitlines():
            program, *words = shlex.split(command)
            assert program == "wattledger"
            done = subprocess.run(
                [*WATTLEDGER, *words],
                cwd=folder,
                env={
                    "PYTHONPATH": str(ROOT),
                    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                    "WATTLEDGER_DATABASE_IDLE_SECONDS": "0",
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            printed.append(done.stdout)
    return printed


@pytest.mark.timeout(300)
def test_the_tutorial_followed_word_for_word(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    printed = follow(tmp_path)

    demo, lint, lint_again, week, _, explained, against, *_, versions = printed
    assert "Everything reconciles." in demo
    assert "idle-fee-without-grace" in lint
    assert "idle-fee-without-grace" not in lint_again
    assert "not-in-ocpi" in lint_again
    assert "0.52" in week
    assert "element 2 (night)" in explained
    assert "Sites that become" in against
    assert re.search(r"depot .*approved .*anna .*ben .*site=harbour", versions)
    for page in ("calendar.html", "back-test.html", "back-test.csv"):
        assert (tmp_path / page).stat().st_size > 0

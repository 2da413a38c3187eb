"""Which Python `make` takes: the first that is quick and can make environments, or one named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

SHOWING = "include Makefile\nshow:\n\t@echo $(PYTHON)\n"
BUILT = """#!/bin/sh
exec {python} -c 'import sys, sysconfig
sysconfig.get_config_vars()["CONFIG_ARGS"], sys.base_prefix = "{options}", "/opt"
exec(sys.argv[2])' "$@"
"""
SYSTEMS = "/usr/bin/python3"


def chosen(*named: str, path: Path) -> str:
    """Return what `make` takes where the folder *path* goes before all others."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    done = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "show", *named],
        input=SHOWING,
        env=kept | {"PATH": f"{path}{os.pathsep}{kept['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_python(path: Path, options: str) -> None:
    """Put a python3 into *path* that says it was built with *options*."""
    program = path / "python3"
    program.write_text(BUILT.format(python=sys.executable, options=options), "utf-8")
    program.chmod(0o700)


def is_fit(python: str) -> bool:
    """Whether *python* is new enough and can make an environment."""
    code = "import ensurepip, sys, venv; assert sys.version_info >= (3, 11)"
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_one_that_goes_first_is_taken_where_it_is_built_with_optimizations(
    tmp_path: Path,
) -> None:
    make_python(tmp_path, "--enable-shared --enable-optimizations")

    assert chosen(path=tmp_path) == "python3"


def test_the_systems_is_taken_before_one_that_is_not(tmp_path: Path) -> None:
    make_python(tmp_path, "--enable-shared")

    assert chosen(path=tmp_path) == (SYSTEMS if is_fit(SYSTEMS) else "python3")


@pytest.mark.parametrize("named", ["python3.12", "/opt/python"])
def test_the_one_that_is_named_is_taken_whatever_it_is(tmp_path: Path, named: str) -> None:
    make_python(tmp_path, "--enable-optimizations")

    assert chosen(f"PYTHON={named}", path=tmp_path) == named

"""The wheel is the whole program: installed alone, far from the checkout, everything runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.tree import ROOT

PACKAGES = (
    "tariffs",
    "ledger",
    "ingest",
    "projections",
    "roaming_ocpi",
    "deploy",
    "wattledger_client",
)
SOURCES = (*PACKAGES, "examples", "pyproject.toml", "setup.py", "README.md", "LICENSE")
DEMO = ("demo", "--stations", "9", "--days", "2")
SHOW_ORIGINS = """
import pkgutil, sys
from importlib import import_module
for package in sys.argv[1:]:
    root = import_module(package)
    print(root.__file__)
    for found in pkgutil.walk_packages(root.__path__, package + "."):
        print(import_module(found.name).__file__)
"""


class Installed:
    """The wheel in a virtual environment, and an empty folder to work in."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.programs = environment / "bin"

    def run(self, program: str, *arguments: str) -> str:
        """Run a program that has to succeed; return what it printed."""
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            # Temporary folders of the demo stay: they go with the test's.
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from a copy of the sources, and install it beside the libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    copy, wheels, environment = folder / "copy", folder / "wheels", folder / "environment"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name)
        else:
            shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(wheels), str(copy)], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    into = [*pip, "--python", str(environment / "bin" / "python"), "install"]
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*into, "--no-deps", "--no-index", str(wheel)], check=True)
    # The libraries are those of this environment. A folder that a .pth file names is searched, but
    # the .pth files in it are not read: so the editable installation of the checkout stays out.
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = folder / "empty"
    empty.mkdir()
    return Installed(environment, empty)


def test_every_module_is_in_the_wheel_and_comes_from_there(installed: Installed) -> None:
    origins = installed.run("python", "-c", SHOW_ORIGINS, *PACKAGES).splitlines()

    (site_packages,) = installed.environment.glob("lib/python*/site-packages")
    assert {str(Path(origin).relative_to(site_packages)) for origin in origins} == {
        str(path.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("*.py")
    }


def test_every_other_file_that_the_program_reads_is_in_the_wheel(installed: Installed) -> None:
    (site_packages,) = installed.environment.glob("lib/python*/site-packages")

    for folder, packed, pattern in (
        ("deploy/migrations", "deploy/migrations", "*.sql"),
        ("examples", "deploy/examples", "*"),
        *((name, name, "py.typed") for name in PACKAGES),
    ):
        in_checkout = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob(pattern)}
        in_wheel = {
            p.relative_to(site_packages / packed) for p in (site_packages / packed).rglob(pattern)
        }
        assert in_checkout
        assert in_checkout <= in_wheel


def test_the_small_commands_run(installed: Installed) -> None:
    example = next(installed.environment.glob("lib/python*/site-packages/deploy/examples/tariffs"))

    assert "From charging stations" in installed.run("wattledger", "--help")
    assert " 0 errors" in installed.run("wattledger", "tariff", "lint", str(example))
    assert installed.run("wattledger", "--version").strip()


@pytest.mark.timeout(300)
def test_the_demo_runs_in_an_empty_folder(installed: Installed) -> None:
    assert "Everything reconciles." in installed.run("wattledger", *DEMO)

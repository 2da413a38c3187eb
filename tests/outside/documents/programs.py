"""The judges' programs: their jars fetched by Maven's coordinates, and ours compiled against them.

Each has a class path of its own (phive and Mustang want different halves of one library) in a
folder of the user's cache, named by the hash of its pom.xml and its source.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FETCH_SECONDS_MAX = 900
NAMES = ("phive", "mustang")


class NoJudgeError(Exception):
    """A judge's program cannot be had on this machine."""


def how_to_get_judges() -> str:
    """Return what lacks on this machine, and how to get it; empty if nothing does."""
    lacking = [name for name in ("java", "javac", "mvn") if shutil.which(name) is None]
    if not lacking:
        return ""
    return f"no {' and '.join(lacking)}: on Debian, apt-get install openjdk-17-jdk-headless maven"


def class_path(name: str) -> str:
    """Return the class path of the judge *name*, made if it is not there yet.

    Raises:
        NoJudgeError: If that is not possible on this machine.
    """
    if lacking := how_to_get_judges():
        raise NoJudgeError(lacking)
    sources = [HERE / name / "pom.xml", HERE / name / "Judge.java"]
    key = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "wattledger" / "outside" / f"{name}-{key}"
    if not folder.exists():
        _build(name, folder)
    return f"{folder / 'classes'}:{folder / 'jars'}/*"


def _build(name: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        built = Path(scratch) / "built"
        pom, jars, classes = HERE / name / "pom.xml", built / "jars", built / "classes"
        copied = "dependency:copy-dependencies", "-DincludeScope=runtime"
        _run("mvn", "-B", "-q", "-f", str(pom), *copied, f"-DoutputDirectory={jars}")
        _run("javac", "-cp", f"{jars}/*", "-d", str(classes), str(HERE / name / "Judge.java"))
        # Whoever comes second finds the folder whole, or makes it himself in vain.
        if not folder.exists():
            built.rename(folder)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        message = f"{' '.join(command)}:\n{last}"
        raise NoJudgeError(message)

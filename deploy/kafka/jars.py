"""The jars of Apache Kafka, fetched once by Maven and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from deploy.errors import DeployError

POM: Final = Path(__file__).with_name("pom.xml")
FETCH_SECONDS_MAX: Final = 600


class NoKafkaJarsError(DeployError):
    """Java or Maven is not there, or Maven could not fetch the jars."""


def how_to_get_them() -> str:
    """Return what lacks for a broker on this machine, and how to get it; empty if nothing does."""
    lacking = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if not lacking:
        return ""
    return (
        f"a Kafka broker on this machine wants {' and '.join(lacking)}: "
        "on Debian, apt-get install openjdk-17-jre-headless maven"
    )


def kafka_jars() -> Path:
    """Return the folder of the jars that `pom.xml` names, fetched if they are not there yet.

    Raises:
        NoKafkaJarsError: If that is not possible on this machine.
    """
    if lacking := how_to_get_them():
        raise NoKafkaJarsError(lacking)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattledger"
    folder = cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars = Path(scratch) / "jars"
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        done = subprocess.run(  # noqa: S603 - our own words
            [*command, f"-DoutputDirectory={jars}"],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            check=False,
        )
        if done.returncode or not jars.is_dir():
            last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
            message = f"Maven could not fetch Kafka's jars ({POM}):\n{last}"
            raise NoKafkaJarsError(message)
        # Whoever comes second finds the folder whole, or makes it himself in vain.
        if not folder.exists():
            jars.rename(folder)

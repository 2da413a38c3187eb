"""A command whose output goes nowhere, or into another alphabet, says so, or nothing at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO, Any, Final

import pytest

from deploy import cli
from deploy.cli import WRONG, run
from tests.deploy.running_wattledger import PROGRAM

HELP, TABLE = ("--help",), ("tariff", "lint", "examples/tariffs")
SCHEMA: Final = ("tariff", "schema")
FULL: Final = Path("/dev/full")


@pytest.fixture(name="environment")
def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "WATTLEDGER" not in name}


def done(
    environment: dict[str, str],
    *arguments: str,
    before: str = "",
    stdout: IO[Any] | int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; *before*: what a shell does with its channels."""
    shell = ("sh", "-c", f'exec "$0" "$@" {before}') if before else ()
    return subprocess.run(
        [*shell, *PROGRAM, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(not FULL.exists(), reason="there is no disk without room here")
@pytest.mark.parametrize("arguments", [HELP, TABLE, SCHEMA])
def test_a_disk_without_room_is_said(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    with FULL.open("w") as full:
        ended = done(environment, *arguments, stdout=full)

    assert ended.returncode == WRONG
    assert ended.stderr == b"what comes out cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [TABLE, SCHEMA])
def test_who_reads_no_further_has_seen_enough(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = done(environment, *arguments, stdout=writing)
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_channel_ends_nothing(environment: dict[str, str], closed: str) -> None:
    ended = done(environment, *SCHEMA, before=closed)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"{") is (">" not in closed)


def test_what_a_locale_has_no_letters_for_is_shown_by_its_number(
    environment: dict[str, str], tmp_path: Path
) -> None:
    named = ("apply", "straße.yaml", "--data", str(tmp_path))
    ended = done({**environment, "PYTHONIOENCODING": "ascii"}, *named)

    assert ended.returncode == WRONG
    assert ended.stderr == b"cannot read stra\\xdfe.yaml: No such file or directory\n"


def test_who_types_nothing_is_told_that_nothing_was_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(_: object) -> int:
        raise EOFError

    monkeypatch.setattr(cli, "_run_command", ends)

    assert run(["login", "ann"]) == WRONG
    assert capsys.readouterr().err == "nothing was typed, and nothing was done\n"

"""The server that is kept between commands: taken over, left alone while used, ended when not."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import deploy
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.postgres.running_server import RunningServer
from deploy.postgres.server_account import PASS_DIRECTORIES
from tests.deploy.running_wattledger import Wattledger

ROOT = Path(deploy.__file__).parents[1]
LONG, SHORT = 60, 1
"""Seconds: longer than any test looks, and soon over."""
COMMAND = """
import sys
from pathlib import Path
from deploy.postgres.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), keep_seconds=int(sys.argv[2])) as server:
    print(server.pid, flush=True)
    if len(sys.argv) > 3:
        sys.stdin.readline()
"""


class Folder:
    """A data folder on which commands are run as processes of their own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.server = RunningServer(data)

    def command(self, *, keep_seconds: int, user: tuple[str, ...] = ()) -> int:
        """Run a command to its end; return the process id of the server that it used."""
        ran = subprocess.run(
            [*user, sys.executable, "-c", COMMAND, str(self.data), str(keep_seconds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return int(ran.stdout)

    def long_command(self, *, keep_seconds: int) -> subprocess.Popen[str]:
        """Start a command that uses the server until it is told to end."""
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(self.data), str(keep_seconds), "wait"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    def keeper(self) -> int | None:
        """The process id of the keeper, if it runs."""
        with suppress(OSError, ValueError):
            pid = int((self.data / "postgresql.keeper").read_text())
            if str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def is_at_rest(self) -> bool:
        return self.keeper() is None and not self.server.processes()


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder that is open to others, as /var/lib is; pytest's own are not."""
    parent = Path(tempfile.mkdtemp(prefix="wattledger-kept-"))
    parent.chmod(0o755)
    yield parent
    shutil.rmtree(parent)


@pytest.fixture
def new_folder(parent: Path) -> Iterator[Callable[[str], Folder]]:
    """Give folders, and leave nothing running in them."""
    folders: list[Folder] = []

    def give(name: str) -> Folder:
        folders.append(Folder(parent / name))
        return folders[-1]

    yield give
    for folder in folders:
        if not folder.is_at_rest():
            with EmbeddedPostgres(folder.data):  # who keeps nothing ends what was kept
                pass
            until(folder.is_at_rest)


@pytest.fixture
def folder(new_folder: Callable[[str], Folder]) -> Folder:
    return new_folder("data")


def until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_the_next_command_finds_the_server_of_the_last_one(folder: Folder) -> None:
    first = folder.command(keep_seconds=LONG)
    second = folder.command(keep_seconds=LONG)

    assert first == second == folder.server.pid


def test_the_server_ends_when_no_command_came_for_a_while(folder: Folder) -> None:
    folder.command(keep_seconds=SHORT)

    until(folder.is_at_rest)


def test_nothing_is_kept_where_nothing_is_to_be_kept(folder: Folder) -> None:
    folder.command(keep_seconds=0)

    assert folder.is_at_rest()


def test_commands_that_start_together_share_one_server_and_one_keeper(folder: Folder) -> None:
    folder.command(keep_seconds=0)
    command = [sys.executable, "-c", COMMAND, str(folder.data), str(LONG)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    together = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(6)
    ]
    used = {process.communicate()[0] for process in together}

    assert used == {f"{folder.server.pid}\n"}
    keepers = [
        entry
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if (words := entry.read_bytes()) and b"keeper" in words and bytes(folder.data) in words
    ]
    assert len(keepers) == 1


def test_the_server_is_not_ended_while_a_command_uses_it(folder: Folder) -> None:
    folder.command(keep_seconds=LONG)
    using = folder.long_command(keep_seconds=SHORT)
    used = folder.server.pid
    keeper = folder.keeper()
    assert keeper is not None
    os.kill(keeper, signal.SIGTERM)
    time.sleep(SHORT + 1)

    assert folder.server.pid == used
    using.communicate("\n")
    until(folder.is_at_rest)


def test_a_keeper_that_is_told_to_end_ends_the_server_that_nobody_uses(folder: Folder) -> None:
    folder.command(keep_seconds=LONG)
    keeper = folder.keeper()
    assert keeper is not None

    os.kill(keeper, signal.SIGTERM)

    until(folder.is_at_rest)


@pytest.mark.parametrize("keep_seconds", [SHORT, 0], ids=["keeps it again", "ends it"])
def test_after_the_keeper_was_killed_the_next_command_finds_the_server_and(
    folder: Folder, keep_seconds: int
) -> None:
    first = folder.command(keep_seconds=LONG)
    keeper = folder.keeper()
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    until(lambda: folder.keeper() is None)

    assert folder.command(keep_seconds=keep_seconds) == first

    until(folder.is_at_rest)


def test_the_keeper_ends_the_server_of_a_command_that_was_killed(folder: Folder) -> None:
    killed = folder.long_command(keep_seconds=SHORT)
    killed.kill()
    killed.communicate()

    until(folder.is_at_rest)


def test_a_kept_server_that_was_killed_is_started_again(folder: Folder) -> None:
    first = folder.command(keep_seconds=LONG)
    for pid in folder.server.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    assert folder.command(keep_seconds=LONG) not in {first, None}


@pytest.mark.parametrize("what", ["the whole folder", "its database"])
def test_the_server_goes_with(folder: Folder, what: str) -> None:
    folder.command(keep_seconds=LONG)
    keeper = folder.keeper()
    folder.server.hold_home()

    shutil.rmtree(folder.data if what == "the whole folder" else folder.server.home)

    until(lambda: not folder.server.processes())
    until(lambda: not Path(f"/proc/{keeper}/cwd").exists())


def test_two_folders_have_a_server_each(new_folder: Callable[[str], Folder]) -> None:
    soon, late = new_folder("soon"), new_folder("late")
    kept = late.command(keep_seconds=LONG)

    soon.command(keep_seconds=SHORT)

    until(soon.is_at_rest)
    assert late.server.pid == kept


def test_an_ordinary_user_s_server_is_kept_and_we_may_use_it_too(folder: Folder) -> None:
    folder.data.mkdir()
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:  # then become nobody, who by a capability may reach a Python below /root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder.data, nobody.pw_uid, nobody.pw_gid)
        ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
        as_user = ("setpriv", *ids, *PASS_DIRECTORIES, "--")

    first = folder.command(keep_seconds=LONG, user=as_user)
    by_us = folder.command(keep_seconds=LONG)
    again = folder.command(keep_seconds=SHORT, user=as_user)

    assert first == by_us == again
    until(folder.is_at_rest)


@pytest.mark.timeout(180)
def test_up_takes_the_kept_server_over_and_ends_it_with_itself(folder: Folder) -> None:
    wattledger = Wattledger(folder.data)
    wattledger.environment["WATTLEDGER_DATABASE_IDLE_SECONDS"] = str(SHORT)
    kept = folder.command(keep_seconds=LONG)

    with wattledger.up():
        taken = folder.server.pid
        assert wattledger.read("sessions") == []
        time.sleep(SHORT + 1)
        assert folder.server.pid == taken == kept

    assert folder.server.processes() == set()
    until(folder.is_at_rest)


@pytest.mark.timeout(180)
def test_a_command_goes_on_when_up_ends_beside_it(folder: Folder) -> None:
    wattledger = Wattledger(folder.data)
    with wattledger.up():
        beside = folder.long_command(keep_seconds=SHORT)
        used = folder.server.pid

    assert used is not None
    assert folder.server.pid == used
    beside.communicate("\n")
    until(folder.is_at_rest)

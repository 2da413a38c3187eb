"""The embedded PostgreSQL: as root and not, twice, together, after kills, anywhere."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

import deploy
from deploy.errors import DeployError
from deploy.postgres import embedded
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.postgres.running_server import EmbeddedPostgresError
from deploy.postgres.server_account import (
    PASS_DIRECTORIES,
    UNUSED_IDS,
    NoServerAccountError,
    ServerAccount,
)
from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.approvals.approvals import TariffApprovals
from ledger.invoices.issuer import InvoiceIssuer

ROOT = Path(deploy.__file__).parents[1]
IS_ROOT = os.geteuid() == 0
START_AND_WAIT = """
import sys
from pathlib import Path
from deploy.postgres.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.dsn, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that is open to others, as /var/lib is; pytest's own are not."""
    parent = Path(tempfile.mkdtemp(prefix="wattledger-embedded-"))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(parent)


def owner_of(data: Path) -> subprocess.Popen[str]:
    """Start another process that uses the server of *data* until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert "host=" in process.stdout.readline()
    return process


def write(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n integer)")
        connection.execute("INSERT INTO kept VALUES (1)")


def kept(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return len(connection.execute("SELECT n FROM kept").fetchall())


def test_what_one_run_wrote_the_next_one_finds(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        write(server.dsn)
    assert server.processes() == set()

    with EmbeddedPostgres(data) as server:
        assert kept(server.dsn) == 1


def test_it_confirms_only_what_is_durable_and_listens_on_no_address(
    postgres_dsn: str,
) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        names = ("fsync", "full_page_writes", "synchronous_commit", "listen_addresses")
        shown = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]

    assert shown == [("on",), ("on",), ("on",), ("",)]


def test_two_servers_stand_beside_each_other(data: Path) -> None:
    with EmbeddedPostgres(data / "one") as one, EmbeddedPostgres(data / "two") as two:
        write(one.dsn)
        with pytest.raises(psycopg.errors.UndefinedTable):
            kept(two.dsn)


def test_it_is_shared_and_ends_with_the_last_who_uses_it(data: Path) -> None:
    other = owner_of(data)
    with EmbeddedPostgres(data) as server:
        assert server.ensure_running() is False
        other.communicate("\n")

        write(server.dsn)
    assert server.processes() == set()


def test_the_server_of_a_killed_process_is_taken_over(data: Path) -> None:
    killed = owner_of(data)
    killed.kill()
    killed.communicate()

    with EmbeddedPostgres(data) as server:
        write(server.dsn)
    assert server.processes() == set()


@pytest.mark.parametrize("who", ["the postmaster", "all its processes"])
def test_a_killed_server_is_revived_with_what_it_confirmed(data: Path, who: str) -> None:
    with EmbeddedPostgres(data) as server:
        write(server.dsn)
        assert server.pid is not None
        for pid in {server.pid} if who == "the postmaster" else server.processes():
            with suppress(ProcessLookupError):  # the backend of a closed connection may be gone
                os.kill(pid, signal.SIGKILL)

        assert server.ensure_running() is True

        assert kept(server.dsn) == 1
        assert server.ensure_running() is False


def test_a_pid_file_that_names_another_program_does_not_hinder_it(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        pass
    pid_file = server.home / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{server.home}\n1\n5432\n{server.home}\n\n\nready\n")
    shutil.chown(pid_file, server.home.stat().st_uid)

    with EmbeddedPostgres(data) as server:
        write(server.dsn)


def test_an_interrupted_initialisation_is_done_again(data: Path) -> None:
    (data / "postgresql.new").mkdir(parents=True)
    (data / "postgresql.new" / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(data) as server:
        write(server.dsn)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("x" * 120, id="too long for a socket"),
        pytest.param("a b, 'c' \"d\" é", id="with characters that mean something"),
    ],
)
def test_any_path_will_do(data: Path, name: str) -> None:
    with EmbeddedPostgres(data / name) as server:
        write(server.dsn)
        socket_directory = Path(str(psycopg.conninfo.conninfo_to_dict(server.dsn)["host"]))
        assert not socket_directory.is_relative_to(data)

    assert not socket_directory.exists()


def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="max_connections"):
        EmbeddedPostgres(data, settings={"max_connections": "none"})


def test_a_given_database_is_used_instead(data: Path) -> None:
    with embedded.database(data, database_url="postgresql://db.example/books") as dsn:
        assert dsn == "postgresql://db.example/books"

    assert not data.exists()


def test_somebody_elses_directory_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    account = ServerAccount(uid=os.geteuid(), gid=os.getegid(), is_other=False)

    with pytest.raises(DeployError, match="belongs to somebody else"):
        account.own(tmp_path / "link")


def test_postgres_runs_as_an_ordinary_user_whoever_we_are(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        user = Path(f"/proc/{server.pid}").stat().st_uid

        assert user != 0
        if not IS_ROOT:
            assert user == os.geteuid()
            return
        assert user not in {entry.pw_uid for entry in pwd.getpwall()}
        files = {path.lstat().st_uid for path in (server.home, *server.home.rglob("*"))}
        assert files == {user}


def test_another_user_of_the_machine_cannot_reach_the_books(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        assert {each.stat().st_mode & 0o777 for each in (server.home, server.sockets)} == {0o700}
        if not IS_ROOT:  # only root can try it as somebody else
            return
        nobody = pwd.getpwnam("nobody")
        for path in (server.sockets / ".s.PGSQL.5432", server.home / "PG_VERSION"):
            tried = subprocess.run(
                ["ls", str(path)],
                check=False,
                capture_output=True,
                text=True,
                user=nobody.pw_uid,
                group=nobody.pw_gid,
                extra_groups=[],
            )
            assert path.exists()
            assert "Permission denied" in tried.stderr


def test_nobody_else_reads_the_log_of_the_server(data: Path) -> None:
    data.mkdir()
    (data / "postgresql.log").write_text("from an older version\n")
    (data / "postgresql.log").chmod(0o644)

    with EmbeddedPostgres(data) as server:
        assert server.log.stat().st_mode & 0o777 == 0o600


def test_each_folder_s_server_has_a_user_of_its_own(data: Path) -> None:
    if IS_ROOT:
        one, other = ServerAccount.choose(data / "one"), ServerAccount.choose(data / "other")
        assert one.uid != other.uid
        assert {one.uid, other.uid} <= set(UNUSED_IDS)


@pytest.mark.parametrize("has_setpriv", [True, False], ids=["with setpriv", "without setpriv"])
def test_closed_folders_stay_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_setpriv: bool
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PATH", os.environ["PATH"] if has_setpriv else str(tmp_path))

    if IS_ROOT and shutil.which("setpriv") is None:
        with pytest.raises(NoServerAccountError, match="closed to others"):
            EmbeddedPostgres(tmp_path / "data")
    else:
        with EmbeddedPostgres(tmp_path / "data") as server:
            write(server.dsn)

    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_an_ordinary_user_runs_it_as_itself(data: Path) -> None:
    data.mkdir()
    command = [sys.executable, "-c", START_AND_WAIT, str(data)]
    uid = os.geteuid()
    if IS_ROOT:  # then become nobody, who by a capability may reach a Python below /root
        nobody = pwd.getpwnam("nobody")
        uid = nobody.pw_uid
        os.chown(data, uid, nobody.pw_gid)
        user = [f"--reuid={uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        command = ["setpriv", *user, *PASS_DIRECTORIES, *command]

    ran = subprocess.run(
        command,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        input="\n",
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr
    assert (data / "postgresql").stat().st_uid == uid


def test_the_log_of_the_server_is_quiet_while_nothing_is_wrong(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        prepare(server.dsn, Settings(data=data))
        for _ in range(2):
            with InvoiceIssuer(server.dsn), TariffApprovals(server.dsn):
                write(server.dsn)

        told = server.log.read_text()
    assert not re.search("ERROR|FATAL|WARNING|checkpoint", told), told

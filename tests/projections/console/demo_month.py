"""The demo's month, played once a run, however many processes test: by the README's command.

    demo_played    what it printed, its figures, and the folder it left: for reading
    demo_folder    what `wattledger demo` left, shared: for reading
    demo_dsn       its database on a server of this process: for reading
    demo_copy      a copy of that database for one test: for changing it

`WATTLEDGER_TESTS_DEMO` names a folder that a demo left before: then none is played for pages.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.clock import SteppedClock
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect
from tests.deploy.running_wattledger import PROGRAM

COPIES = itertools.count(1)
CLOCK = "demo-clock"
TEMPLATE = "demo_template"


@pytest.fixture(scope="session")
def demo_played(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with `data`, `figures.json` and `output.txt` of a demo; nobody changes it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "demo-month"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        # Whoever comes first plays it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "figures.json").exists():
            play(shared)
    return shared


@pytest.fixture(scope="session")
def demo_folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a demo that is over; nobody changes it."""
    if given := os.environ.get("WATTLEDGER_TESTS_DEMO"):
        return Path(given)
    played: Path = request.getfixturevalue("demo_played")
    return played / "data"


def play(folder: Path) -> None:
    """Play the demo into FOLDER/data."""
    figures = folder / "figures.json"
    done = subprocess.run(
        [*PROGRAM, "demo", "--json", f"{figures}.new", "--data", str(folder / "data")],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if "WATTLEDGER" not in name},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "output.txt").write_text(done.stdout, "utf-8")
    Path(f"{figures}.new").rename(figures)


@pytest.fixture(scope="session")
def demo_dsn(demo_folder: Path) -> Iterator[str]:
    """The demo's database on a server of this process; nobody changes it."""
    copy = Path(tempfile.mkdtemp(prefix="wattledger-demo-tests-"))
    try:
        # With its owners: root runs the server under another account.
        subprocess.run(["cp", "-a", f"{demo_folder}/.", copy], check=True)
        with EmbeddedPostgres(copy, keep_seconds=0) as server:
            with connect(server.dsn, autocommit=False) as connection:
                for schema in ("inputs", "persons", "books"):
                    migrate.apply(connection, schema)
            # What copies are made of: nobody is ever connected to it.
            with psycopg.connect(_elsewhere(server.dsn), autocommit=True) as connection:
                name = conninfo_to_dict(server.dsn)["dbname"]
                connection.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE {name}")
            yield server.dsn
    finally:
        shutil.rmtree(copy)


@pytest.fixture
def demo_copy(demo_dsn: str) -> Iterator[str]:
    """A copy of the demo's database for one test."""
    made = f"demo_{os.getpid()}_{next(COPIES)}"
    with psycopg.connect(_elsewhere(demo_dsn), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {made} TEMPLATE {TEMPLATE}")
        yield make_conninfo(demo_dsn, dbname=made)
        connection.execute(f"DROP DATABASE {made} WITH (FORCE)")


def _elsewhere(dsn: str) -> str:
    """Return another database of the same server, from where databases are made and copied."""
    return make_conninfo(dsn, dbname="template1")


def demo_now(folder: Path) -> datetime:
    """Return the moment at which the demo ended."""
    return SteppedClock(path=folder / CLOCK).now()

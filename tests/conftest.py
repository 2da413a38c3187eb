"""The real PostgreSQL that tests use: one server a run, one fresh database a test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres

pytest_plugins = [
    "tests.kafka",
    "tests.projections.console.browser",
    "tests.projections.console.demo_month",
]

NUMBERS = itertools.count(1)

# How long an example takes says more about what else the machine does than about the example.
settings.register_profile("wattledger", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wattledger")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A server of this run's own; its settings are the product's.

    Where many runs follow each other (`make mutants`), one is there for all.
    """
    if shared := os.environ.get("WATTLEDGER_TESTS_DATA"):
        with EmbeddedPostgres(Path(shared)) as server:
            yield server
        return
    data = Path(tempfile.mkdtemp(prefix="wattledger-tests-"))
    try:
        with EmbeddedPostgres(data) as server:
            yield server
    finally:
        shutil.rmtree(data)


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: EmbeddedPostgres) -> str:
    """The server's connection string, to a database without tables."""
    return postgres_server.dsn


@pytest.fixture(scope="session")
def template_database(postgres_dsn: str) -> str:
    """The name of a database with every table and no rows."""
    name = f"template_{os.getpid()}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(make_conninfo(postgres_dsn, dbname=name)) as connection:
        migrate.apply(connection, "inputs")
        migrate.apply(connection, "persons")
        migrate.apply(connection, "books")
    return name


@pytest.fixture
def database(postgres_dsn: str, template_database: str) -> Iterator[str]:
    """The connection string of a fresh database with every table and no rows."""
    with _fresh(postgres_dsn, template_database) as dsn:
        yield dsn


@pytest.fixture
def other_database(postgres_dsn: str, template_database: str) -> Iterator[str]:
    """The connection string of another one: for a second instance of ours."""
    with _fresh(postgres_dsn, template_database) as dsn:
        yield dsn


@contextmanager
def _fresh(server: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

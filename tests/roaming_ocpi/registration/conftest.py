"""A second database, for a second instance."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

_NUMBERS = itertools.count(1)


@pytest.fixture
def other_database(postgres_dsn: str, template_database: str) -> Iterator[str]:
    """The connection string of another fresh database."""
    name = f"other_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        yield make_conninfo(postgres_dsn, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

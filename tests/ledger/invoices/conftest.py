"""A fresh database, the invoices that are issued in it, and a connection as the worker has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer


@pytest.fixture
def issuer(database: str) -> Iterator[InvoiceIssuer]:
    """The invoices of a fresh database."""
    with InvoiceIssuer(database) as application:
        yield application


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the worker has it."""
    with connect(database) as opened:
        yield opened

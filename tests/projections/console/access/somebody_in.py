"""Forms that somebody sends who is in, and master data for pages of access."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import httpx

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog
from tests.projections.console.served_console import ServedConsole

FILE = """
legal_entities:
  watt: {name: Watt, country: DE, time_zone: Europe/Berlin, invoice_prefix: W, vat_id: DE136695976}
  volt: {name: Volt, country: DE, time_zone: Europe/Berlin, invoice_prefix: V, vat_id: DE136695976}
sites:
  pier: {time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
  quay: {time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
  hill: {time_zone: Europe/Berlin, country: DE, legal_entity: volt, currency: EUR}
customers:
  ada: {name: Ada}
tokens:
  04A1: {customer: ada}
  04PIER: {sites: [pier]}
  04HILL: {sites: [hill]}
"""


def declare_sites(console: ServedConsole, folder: Path) -> None:
    """Declare two legal entities with their sites, and tokens here and there."""
    prepare(console.dsn, Settings(data=folder, partitions=2))
    with connect(console.dsn) as connection, PostgresEventLog(console.dsn) as log:
        at = console.at - timedelta(days=1)
        apply_files(connection, [(FILE, "sites.yaml")], log=log, by="a test", at=at)


def form_key(client: httpx.Client) -> str:
    """What each form of this browser brings along."""
    found = re.search(r'name="form_key" value="([^"]+)"', client.get("/console/me").text)
    assert found is not None
    return found[1]


def send(client: httpx.Client, path: str, **fields: str | list[str]) -> httpx.Response:
    """Send a form of this very browser."""
    return client.post(f"/console{path}", data={"form_key": form_key(client), **fields})

"""Forms of pages sent without a browser, and long work waited for."""

from __future__ import annotations

import re
import threading
import time

import httpx

from ledger.database import connect

_KEY = re.compile(r'name="form_key" value="([^"]+)"')
JOB_SECONDS_MAX = 240.0


def send(client: httpx.Client, action: str, page: str, **fields: str) -> httpx.Response:
    """Send a form of *page* to *action*, as a browser does."""
    found = _KEY.search(client.get(page).text)
    assert found is not None, page
    return client.post(action, data={"form_key": found[1], **fields})


def wait_for_jobs(dsn: str) -> None:
    """Return once no job waits or runs."""
    until = time.monotonic() + JOB_SECONDS_MAX
    with connect(dsn) as connection:
        while connection.execute(
            "SELECT FROM job WHERE state IN ('waiting', 'running') LIMIT 1"
        ).rowcount:
            assert time.monotonic() < until, "a job does not come to its end"
            threading.Event().wait(0.2)

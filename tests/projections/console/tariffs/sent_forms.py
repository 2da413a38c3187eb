"""Forms of the pages of tariffs, as a browser sends them."""

from __future__ import annotations

import re

import httpx

CHANGE = "/console/tariffs/-"


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form as a page of this browser does, with the key that each of them has."""
    key = re.search(r'name="form_key" value="([^"]+)"', client.get("/console/tariffs").text)
    assert key is not None
    return client.post(f"{CHANGE}{path}", data={"form_key": key[1], **fields})

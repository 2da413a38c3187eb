"""`python -m deploy.api.client_source`: writes the client's modules that are made."""

from __future__ import annotations

from pathlib import Path

from deploy.api.client_source.document import document
from deploy.api.client_source.made import made_sources

if __name__ == "__main__":
    folder = Path(__file__).parents[3] / "wattledger_client"
    for name, text in made_sources(document()).items():
        (folder / name).write_text(text, "utf-8")

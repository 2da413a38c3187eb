"""The client's modules that are made, from the document."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from deploy.api.client_source.operations import operations_source
from deploy.api.client_source.shapes import shapes_source


def made_sources(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each module by its file's name, in the house format."""
    return {
        "shapes.py": _formatted("shapes", shapes_source(described["components"]["schemas"])),
        "operations.py": _formatted("operations", operations_source(described["paths"])),
    }


def _formatted(name: str, text: str) -> str:
    """Return *text* as `ruff format` has it, without imports that nothing needs."""
    for step in (("check", "--fix-only", "--select", "F401,I001"), ("format",)):
        words = ("--quiet", "--stdin-filename", f"wattledger_client/{name}.py", "-")
        command = [sys.executable, "-m", "ruff", *step, *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
        text = done.stdout
    return text

"""Stripe's own mock, which judges requests by Stripe's OpenAPI, and that document itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

MOCK: Final = "github.com/stripe/stripe-mock@v0.203.0"
FOLDER: Final = Path.home() / ".cache" / "wattledger" / "outside"
_WAIT_S: Final = 30


def ran(*words: str, **options: Any) -> str:  # noqa: ANN401 - subprocess's own
    done = subprocess.run([*words], check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@contextmanager
def serving() -> Iterator[str]:
    """Serve the mock on 127.0.0.1; Go builds it once."""
    program = FOLDER / "stripe-mock"
    if not program.exists():
        ran("go", "install", MOCK, env=os.environ | {"GOBIN": str(FOLDER)})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [str(program), "-http-addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + _WAIT_S
        while time.monotonic() < end and process.poll() is None:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@cache
def _document() -> dict[str, Any]:
    folder = json.loads(ran("go", "mod", "download", "-json", MOCK))["Dir"]
    text = (Path(folder) / "embedded" / "openapi" / "spec3.json").read_text("utf-8")
    schemas = json.loads(text)["components"]["schemas"]
    return {"components": {"schemas": {name: _plain(each) for name, each in schemas.items()}}}


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema of OpenAPI 3.0 as one of JSON Schema: what is `nullable` may be null."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def faults_of(kind: str, found: dict[str, Any]) -> list[str]:
    """Return what of an object of *kind* is not as Stripe's OpenAPI has it.

    What the document does not name counts too: nobody may come to rely on it.
    """
    document = _document()
    schema = document | {"$ref": f"#/components/schemas/{kind}"}
    said = [
        f"{kind}: {error.json_path}: {error.message[-200:]}"
        for error in Draft202012Validator(schema).iter_errors(found)
    ]
    known = document["components"]["schemas"][kind]["properties"]
    return said + [f"{kind}: {name}" for name in sorted(set(found) - set(known))]

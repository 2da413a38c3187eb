"""Where the bytes of a document go: into a file, or to whoever reads our output."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.errors import DeployError
from deploy.output import say


def write_bytes(content: bytes, output: Path | None, *, is_text: bool = True) -> int:
    """Write *content* to a file or standard output; only what *is_text* may go to a terminal.

    Raises:
        DeployError: If it cannot be written there.
    """
    if output is None:
        if sys.stdout.isatty() and not is_text:
            message = "a terminal shows no PDF: say --output FILE, or redirect it into one"
            raise DeployError(message)
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    try:
        output.write_bytes(content)
    except OSError as error:
        message = f"cannot write {output}: {error.strerror or error}"
        raise DeployError(message) from error
    say(f"wrote {output}, {len(content)} bytes")
    return 0

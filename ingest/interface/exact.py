"""JSON in a request that goes on as it was written: members in order, numbers to the digit."""

from __future__ import annotations

import msgspec

from ingest.commands.asking import BadPayloadError


def exact_text(raw: msgspec.Raw) -> str:
    """Return the text of a part of a request.

    Raises:
        BadPayloadError: If it is not UTF-8.
    """
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        message = "the payload is not UTF-8"
        raise BadPayloadError(message) from error

"""How the lines of one record are stored: docs/event-log.md shows how to read them by hand."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, Literal

import zstandard

Codec = Literal["json", "json+zstd"]

# Measured on 100 MeterValues lines of 1.6 kB: level 1 takes 0.05 ms and leaves 3 % of them, level 3
# takes 0.06 ms for the same, level 9 takes 0.7 ms and leaves 2.5 %.
LEVEL: Final = 1
WORTH_COMPRESSING_BYTES: Final = 256


class _Zstd(threading.local):
    """One compressor a thread: they are quick to use, slow to make, and not to be shared."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_ZSTD = _Zstd()


def pack_payload(lines: Sequence[bytes]) -> tuple[Codec, bytes]:
    """Return *lines* as one payload, compressed if that makes it smaller."""
    payload = b"\n".join(lines)
    if len(payload) >= WORTH_COMPRESSING_BYTES:
        packed = _ZSTD.compress(payload)
        if len(packed) < len(payload):
            return "json+zstd", packed
    return "json", payload


def unpack_payload(codec: Codec, payload: bytes) -> bytes:
    """Return the lines of a stored payload, with line feeds between them."""
    match codec:
        case "json":
            return payload
        case "json+zstd":
            return _ZSTD.decompress(payload)

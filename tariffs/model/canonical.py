"""The canonical form: the same value gives the same bytes, whatever process wrote it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from tariffs.model.tariff import Tariff

_ENCODER: Final = msgspec.json.Encoder(order="deterministic", decimal_format="string")


def canonical_json(value: object) -> bytes:
    """Encode *value* (structs, dataclasses, dicts, decimals, datetimes) as canonical JSON.

    Dict keys are sorted, structs keep their order of fields, decimals are their exact text.
    Tariffs omit what is not set, so that a field added later leaves the old hashes as they are.
    """
    return _ENCODER.encode(value)


def tariff_hash(tariff: Tariff) -> str:
    """Return the sha256 (hex) that names exactly this version of *tariff*."""
    return sha256(canonical_json(tariff)).hexdigest()

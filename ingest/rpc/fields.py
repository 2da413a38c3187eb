"""A forgiving view of a payload: what is absent or of the wrong type is None, never an error."""

from __future__ import annotations

from functools import cached_property

import msgspec

from ingest.rpc import codec

_DIGITS_MAX = 18


class PayloadFields:
    """The members of a JSON object; of anything else: none."""

    def __init__(self, payload: msgspec.Raw | bytes) -> None:
        self.payload = payload

    @cached_property
    def _members(self) -> dict[str, msgspec.Raw]:
        """Decoded on first use: most answers never look."""
        try:
            return codec.decode(self.payload, dict[str, msgspec.Raw])
        except codec.PayloadError:
            return {}

    def text(self, name: str) -> str | None:
        """Return a string as it is and a number as it was written."""
        raw = self._members.get(name)
        if raw is None:
            return None
        written = bytes(raw)
        if written[:1] == b'"':
            return codec.decode(raw, str)
        return written.decode() if written[:1] in b"-0123456789" else None

    def integer(self, name: str) -> int | None:
        """Return a whole number, also one that was sent as a string."""
        text = (self.text(name) or "").strip()
        plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
        return int(text) if plain else None

    def is_true(self, name: str) -> bool:
        """Say whether a member is true, also as a string."""
        raw = self._members.get(name)
        return raw is not None and bytes(raw).strip(b'"').lower() == b"true"

    def has(self, name: str) -> bool:
        """Say whether there is such a member, whatever it is."""
        return name in self._members

    def nested(self, name: str) -> PayloadFields:
        """Return the members of a member."""
        return PayloadFields(self._members.get(name, b"{}"))

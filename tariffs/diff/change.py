"""One thing that differs between two tariffs."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tariffs.diff.english import ENGLISH
from tariffs.phrases.phrase import Phrase


class ChangeKind(StrEnum):
    """What a sentence is about."""

    PRICE = "price"
    TAX = "tax"
    STEP = "step_size"
    SETTING = "setting"
    ELEMENT = "element"
    ADJUSTMENT = "adjustment"


class TariffChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as a phrase."""

    kind: ChangeKind
    said: Phrase

    @property
    def sentence(self) -> str:
        """Return it in English, without a full stop."""
        return ENGLISH.words(self.said)

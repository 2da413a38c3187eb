"""What became of a tariff's version, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from ledger.approvals.record import TariffRecord
from tariffs.phrases import english
from tariffs.phrases.phrase import Phrase, phrase

SENTENCES: Final = {"replaced": "replaced by version {version}"}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES)


def codes_of(record: TariffRecord) -> tuple[Phrase, ...]:
    """Return why *record* was turned down, where no person but a newer proposal is the reason."""
    number = record.replaced_by
    return () if number is None else (phrase("replaced", version=number),)


def reason_of(record: TariffRecord) -> str | None:
    """Return why *record* was turned down, or approved, as a person wrote it or in our words."""
    return ENGLISH.joined(codes_of(record)) or record.reason or None

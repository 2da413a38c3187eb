"""A published tariff as a station is sent it: under a name that says which version it is.

What a station reckons by another text than ours, it shows to a driver who then owes something else.
So a tariff that OCPP 2.1 cannot say is refused, with what it cannot; only who asks for it gets one
that is nearly ours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from tariffs.errors import TariffError
from tariffs.model.tariff import Tariff
from tariffs.ocpp21.export import export_tariff
from tariffs.ocpp21.messages import (
    TARIFF_ID_LENGTH_MAX,
    OcppTariff,
    TranslationNote,
    TranslationSeverity,
)

ROUNDED: Final = frozenset({"rounded"})
"""The code of a price that is rounded to so many decimals."""
_HASH_LENGTH: Final = 16
_NAMES_NOTHING_BILLED: Final = frozenset(
    {
        "element_name", "field", "no_end_of_validity", "reason", "text_too_long", "too_many_texts",
    }
)  # fmt: skip
"""Codes of what is left out and changes no cost."""


def station_tariff_id(tariff_id: str, sha256: str) -> str:
    """Return the name of a published version at stations, "harbour@1f0c...": the same for ever."""
    end = f"@{sha256[:_HASH_LENGTH]}"
    return tariff_id[: TARIFF_ID_LENGTH_MAX - len(end)] + end


def station_tariff(
    tariff: Tariff,
    sha256: str,
    *,
    decimals: int | None = None,
    accepted: Collection[str] | None = (),
) -> OcppTariff:
    """Return a published tariff as stations are sent it.

    Args:
        tariff: What was published.
        sha256: The hash of its version.
        decimals: Places to which a price is rounded that has no end; None refuses it.
        accepted: Codes of notes that may make the station's cost differ from ours; None: any.

    Raises:
        UnsayableTariffError: If OCPP 2.1 cannot say it, or only so that the cost differs.
    """
    named = replace(tariff, id=station_tariff_id(tariff.id, sha256))
    exported = export_tariff(named, decimals=decimals)
    notes = [note for note in exported.notes if _forbids(note, accepted)]
    if exported.tariff is None or notes:
        raise UnsayableTariffError(tariff.id, notes)
    return exported.tariff


def _forbids(note: TranslationNote, accepted: Collection[str] | None) -> bool:
    match note.severity:
        case TranslationSeverity.REFUSED:
            return True
        case TranslationSeverity.LOST:
            is_harmless = note.code in _NAMES_NOTHING_BILLED
            return not is_harmless and accepted is not None and note.code not in accepted
        case TranslationSeverity.INFO:
            return False


class UnsayableTariffError(TariffError):
    """A station would reckon another cost by this tariff, or cannot be told it at all."""

    def __init__(self, tariff_id: str, notes: Collection[TranslationNote]) -> None:
        self.tariff_id, self.notes = tariff_id, tuple(notes)
        said = "; ".join(map(str, notes))
        super().__init__(f"a station cannot reckon by the tariff {tariff_id!r}: {said}")

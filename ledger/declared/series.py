"""The number series that are declared, and which of them could give a document the same number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.numbers import SeriesNumbers, Shape, may_be_equal


class DeclaredSeries(NamedTuple):
    """How a legal entity numbers documents of a kind ("invoices"), with the prefix that it has."""

    legal_entity: str
    kind: str
    prefix: str
    numbers: SeriesNumbers

    @property
    def shape(self) -> Shape:
        """Return what its numbers look like."""
        return self.numbers.shape(prefix=self.prefix, legal_entity=self.legal_entity)

    def goes_on_from(self, other: DeclaredSeries) -> bool:
        """Whether it writes the count of the same series, in the same place of a number."""
        is_same = self[:3] == other[:3]
        return is_same and self.numbers.counts_where(other.numbers)


def series_of(key: str, entity: LegalEntity) -> tuple[DeclaredSeries, ...]:
    """Return the series of the legal entity *key*."""
    numbers, prefix = entity.numbers, entity.invoice_prefix
    return (
        DeclaredSeries(key, "invoices", prefix, numbers.invoices),
        DeclaredSeries(key, "credit notes", prefix, numbers.credit_notes),
    )


def twins_of(declared: Iterable[DeclaredSeries], every: Iterable[DeclaredSeries]) -> Iterator[str]:
    """Yield what is wrong with series *declared* beside *every* one that there is, or ever was."""
    others = [(each, each.shape) for each in every]
    for one in declared:
        shape = one.shape
        for other, looks in others:
            if not one.goes_on_from(other) and may_be_equal(shape, looks):
                yield (
                    f"{one.kind} as {one.numbers.format} could get the numbers of {other.kind} of"
                    f" {other.legal_entity} as {other.numbers.format}"
                )

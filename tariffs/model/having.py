"""Which elements of a tariff have a component of a dimension, as a bit mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    ReservationRestriction,
    TariffElement,
)


class ElementsHaving(msgspec.Struct, frozen=True):
    """The elements of one kind with a component of one dimension, bit i for element i."""

    elements: int
    components: Mapping[int, PriceComponent]

    def first(self, mask: int) -> int | None:
        """Return the first element of *mask* that has one."""
        hit = mask & self.elements
        # The lowest bit alone.
        return (hit & -hit).bit_length() - 1 if hit else None


def elements_having(
    elements: Sequence[TariffElement], dimension: Dimension, kind: ReservationRestriction | None
) -> ElementsHaving:
    """Return which of *elements* have one, each looked at once."""
    components: dict[int, PriceComponent] = {}
    for index, element in enumerate(elements):
        if element.restrictions.reservation is kind:
            for component in element.price_components:
                # Two of one dimension in an element are undefined (ocpi #402): the first holds.
                if component.dimension is dimension:
                    components.setdefault(index, component)
    return ElementsHaving(sum(1 << index for index in components), components)

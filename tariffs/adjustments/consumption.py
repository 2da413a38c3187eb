"""What sessions use of a grant that they share: exact, and the same whoever adds it up."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tariffs.quantities import EXACT, plain


class Consumption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Energy in Wh, time in seconds, money in minor units, and how many sessions took part."""

    energy_wh: Decimal = Decimal(0)
    seconds: Decimal = Decimal(0)
    amount_minor: int = 0
    uses: int = 0

    def __add__(self, other: Consumption) -> Consumption:
        return Consumption(
            energy_wh=plain(EXACT.add(self.energy_wh, other.energy_wh)),
            seconds=plain(EXACT.add(self.seconds, other.seconds)),
            amount_minor=self.amount_minor + other.amount_minor,
            uses=self.uses + other.uses,
        )

    def __sub__(self, other: Consumption) -> Consumption:
        return Consumption(
            energy_wh=plain(EXACT.subtract(self.energy_wh, other.energy_wh)),
            seconds=plain(EXACT.subtract(self.seconds, other.seconds)),
            amount_minor=self.amount_minor - other.amount_minor,
            uses=self.uses - other.uses,
        )


NOTHING = Consumption()


class Consumed(msgspec.Struct, frozen=True):
    """What was used of the shared grant `name` ("allowance/household") in `period` ("2026-11")."""

    name: str
    period: str
    consumption: Consumption

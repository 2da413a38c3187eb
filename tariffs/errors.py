"""The one root of everything that pricing refuses."""

from __future__ import annotations


class TariffError(Exception):
    """Something in a tariff, a usage or a policy cannot be priced."""

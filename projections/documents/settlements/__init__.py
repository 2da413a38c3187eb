"""Settlements with roaming partners, as they get them."""

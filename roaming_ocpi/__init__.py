"""Roaming partners over OCPI."""

"""Accounting periods on record: soft-closed, signed off, closed and opened again, by whom."""

"""Integrity: is it untouched: replay, journal, trial balance, energy, numbers, documents."""

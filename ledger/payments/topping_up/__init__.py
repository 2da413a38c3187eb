"""Prepaid balances: what is left of them, raised by card, given back to it, and lost."""

"""Prepaid balances raised by card, by a person or by themselves; given back to it, and lost."""

"""Disputes: what a payer's bank takes back of a payment, and what comes of it."""

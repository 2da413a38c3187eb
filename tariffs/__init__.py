"""Pricing: quantities, the tariff model and files, and the pure kernel. No I/O, no clock."""

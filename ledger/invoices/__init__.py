"""Invoices: what goes on one, its number, its bytes, and who issues them when."""

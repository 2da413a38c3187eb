"""Statements of account: what moved between two days, and the balance before and after."""

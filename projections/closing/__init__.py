"""Months of the books: what is left to do before one closes, and what is kept of it then."""

"""Persons: subject ids in place of tokens and names, what was sealed for them, and erasing them."""

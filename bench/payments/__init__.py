"""Money in, measured."""

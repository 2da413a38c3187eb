"""Money that came and went, as people look at it: movements, what is open, what became of it."""

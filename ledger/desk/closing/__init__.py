"""Where months of the books are closed and opened again."""

"""The commands about energy: where it went, and what of it was not billed."""

"""Documents rendered once, kept sealed for their reader, and rendered again to compare."""

"""The journal as files for other books: exact, in one order, the same bytes every time."""

"""Long work that somebody asked for: rows that runners take, one at a time, until it is done."""

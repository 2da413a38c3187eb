"""What a station is, does and has: as the books and our own rows have it."""

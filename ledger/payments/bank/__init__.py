"""Bank statements: read without trust, booked line by line, matched by what a line itself says."""

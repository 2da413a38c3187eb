"""What people do about money in and out: give back, collect now, ask for leave, match."""

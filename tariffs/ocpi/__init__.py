"""OCPI: every version read into, and written from, one model (the newest version's)."""

"""Posting to an address that somebody set: to the public internet, and to named networks alone."""

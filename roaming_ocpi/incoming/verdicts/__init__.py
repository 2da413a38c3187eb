"""Verdicts on CDRs of partners: codes, what they come to, and the price as we see it."""

"""Visits: drivers without contract, who pay by card for one session at one of our stations."""

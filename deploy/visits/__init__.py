"""Visits at our edges: over HTTP for drivers, and the loop that runs them."""

"""Roaming as processes: the routes for partners, and what is exchanged in the background."""

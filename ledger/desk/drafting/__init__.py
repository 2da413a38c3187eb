"""Tariffs on their way to being proposed: drafts, and what a change may do unasked."""
